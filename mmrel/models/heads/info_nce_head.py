"""InfoNCE against a memory of negatives."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS


@MODELS.register_module()
class InfoNCEHead(BaseModule):
    """Cross entropy of the positive pair among the memory's entries.

    ``-log(exp(p / t) / (exp(p / t) + sum_k exp(s_k / t)))``, p the similarity
    of a student's and the teacher's view of one image, s_k those of the
    student's view to the memory; averaged over views and rows.
    Source: MoCo (arXiv:1911.05722), Eq. 1; as the warm-up of the extended
    ReSSL (arXiv:2203.08717).

    Args:
        temperature (float): t. Defaults to 0.1.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'InfoNCEHead.temperature={temperature} must be positive')
        self.temperature = temperature

    @full_precision
    def forward(self, student: Tensor, positive: Tensor) -> Tensor:
        """The loss of similarities to negatives and to the positive.

        Args:
            student (Tensor): Similarities of the student's views to the
                memory, (V, B, K), or of one view, (B, K).
            positive (Tensor): Similarities to the teacher's view of the same
                image, (V, B) or (B,).

        Returns:
            Tensor: The loss, a scalar in at least float32.
        """
        # Not one tensor of K + 1 columns: that would copy the K.
        negatives = torch.logsumexp(student / self.temperature, dim=-1)
        logit = positive / self.temperature
        return (torch.logaddexp(logit, negatives) - logit).mean()

    def loss(self, student: Tensor, teacher: Tensor, positive: Tensor) -> dict[str, Tensor]:
        """:meth:`forward` as the dict of losses that mmengine sums up.

        Args:
            student (Tensor): As :meth:`forward`.
            teacher (Tensor): Not used: the target is the positive alone.
            positive (Tensor): As :meth:`forward`.

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        return dict(loss=self(student, positive))
