"""Distribution alignment: make the mean prediction over past steps uniform."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_count


@MODELS.register_module()
class DistributionAlignment(nn.Module):
    """Divide class probabilities by their mean over the last global batches.

    ``p <- normalize(p / mean)``. The mean is over a ring buffer of batch means that
    already includes the current batch. Unused rows of the buffer are zeros; the
    normalization cancels their effect. The buffers ``queue`` (K, C) and ``pointer``
    are in the checkpoint.
    Source: ReMixMatch (arXiv:1911.09785), in the form of SimMatch
    (arXiv:2203.06915), which aligns to the uniform distribution.

    Args:
        num_classes (int): C.
        size (int): K, the number of past batches. Defaults to 256.

    Raises:
        ValueError: If ``num_classes`` or ``size`` is below 1.
    """

    queue: Tensor
    pointer: Tensor

    def __init__(self, num_classes: int, size: int = 256) -> None:
        super().__init__()
        check_count(1, 'alignment', num_classes=num_classes, size=size)
        self.size = size
        self.register_buffer('queue', torch.zeros(size, num_classes))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    @full_precision
    def forward(self, p: Tensor) -> Tensor:
        """Store the batch's mean and align the batch.

        Args:
            p (Tensor): Probabilities of this rank's samples, (B, C), B equal on
                all ranks.

        Returns:
            Tensor: Aligned probabilities, (B, C), without gradient.
        """
        batch_mean = p.mean(0, keepdim=True)
        all_reduce(batch_mean, 'mean')
        self.queue.index_copy_(0, self.pointer, batch_mean.to(self.queue.dtype))
        self.pointer.add_(1).remainder_(self.size)
        # Avoid 0 / 0 for a class that underflowed in every batch.
        mean = self.queue.to(p.dtype).mean(0).clamp_(min=torch.finfo(p.dtype).tiny)
        aligned = p / mean
        return aligned / aligned.sum(1, keepdim=True)

    def extra_repr(self) -> str:
        """Text for ``repr``."""
        return f'num_classes={self.queue.shape[1]}, size={self.size}'
