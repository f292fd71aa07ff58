"""The network that maps each path to its code."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.models.utils.precision import full_precision
from mmrel.utils.checks import check_count, check_positive


class SimplexNet(nn.Module):
    """Map a path to a point on the simplex.

    ``softmax(FC(ReLU(FC(architecture) + FC(widths))))``. Without width choices
    there is no ``FC(widths)``. Source: K-shot NAS (arXiv:2106.06442).

    Args:
        k (int): K.
        architecture_size (int): A, length of the architecture's one-hot code.
        width_size (int): W, number of widths; 0 disables ``FC(widths)``.
        hidden_channels (int): Defaults to 100 (ours).
        sharpness (float): Factor on the last layer's initial weights. The initial codes
            are near 1 / K; a larger factor makes them differ more. Defaults to 1.

    Raises:
        ValueError: If ``hidden_channels`` is below 1, or ``sharpness`` is not positive.
    """

    def __init__(
        self,
        k: int,
        architecture_size: int,
        width_size: int = 0,
        hidden_channels: int = 100,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        check_count(1, 'simplex_net', hidden_channels=hidden_channels)
        check_positive('simplex_net', sharpness=sharpness)
        self.architecture = nn.Linear(architecture_size, hidden_channels)
        self.widths = nn.Linear(width_size, hidden_channels) if width_size else None
        self.out = nn.Linear(hidden_channels, k)
        with torch.no_grad():
            self.out.weight.mul_(sharpness)

    @full_precision
    def forward(self, architecture: Tensor, widths: Tensor) -> Tensor:
        """Codes of N paths.

        Args:
            architecture (Tensor): One-hot, (N, A).
            widths (Tensor): Widths relative to the full width, (N, W).

        Returns:
            Tensor: Shape (N, K), in at least float32. Rows are positive and sum
            to 1.
        """
        hidden = self.architecture(architecture)
        if self.widths is not None:
            hidden = hidden + self.widths(widths)
        return torch.softmax(self.out(F.relu(hidden)), dim=1)
