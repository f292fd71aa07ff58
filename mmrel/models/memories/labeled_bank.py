"""A memory with one slot for each labeled image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrel.models.utils.distributed import gather
from mmrel.models.utils.held_back import HeldBackUpdate
from mmrel.models.utils.precision import at_least_float32, full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_count, check_within


@MODELS.register_module()
class LabeledBank(HeldBackUpdate):
    """Teacher embeddings of the labeled images, with their labels.

    The slot of an image is its index in the labeled set. The buffers ``bank``
    (D, N) and ``labels`` (N,) are in the checkpoint. They start as random unit
    vectors and zeros. Source: SimMatch (arXiv:2203.06915).

    A write is held back until the memory is next used or saved, as in
    :class:`FeatureQueue`: the backward pass needs the memory as it was in the
    forward pass. Read it with :meth:`read` (or from the state dict).

    With few labels an image can be in the global batch several times. Its slot then
    gets the normalized mean of its embeddings, which does not depend on their order.

    Args:
        size (int): N, the number of labeled images. A config may leave it out:
            mmrel's Runner and ``get_model`` derive it from the checkpoint or the data.
        dim (int): D, the width of an embedding (the neck's output width).
        momentum (float): Weight of the old slot in a write: the new slot is
            ``normalize(momentum * slot + (1 - momentum) * z)``, and 0 replaces
            it. The released settings are 0 for ImageNet and 0.7 for small images.
            Defaults to 0.0.

    Raises:
        ValueError: If ``size`` or ``dim`` is below 1, or ``momentum`` is outside
            [0, 1).
    """

    # A config may leave out `size`: see `complete_numbers`.
    slot_per_labeled_image = True

    bank: Tensor
    labels: Tensor

    def __init__(self, size: int, dim: int, momentum: float = 0.0) -> None:
        super().__init__()
        check_count(1, 'memory', size=size, dim=dim)
        check_within('[0, 1)', 'memory', '0 replaces a slot, 0.7 averages', momentum=momentum)
        self.size = size
        self.dim = dim
        self.momentum = momentum
        self.register_buffer('bank', F.normalize(torch.randn(dim, size), dim=0))
        self.register_buffer('labels', torch.zeros(size, dtype=torch.long))

    def read(self) -> tuple[Tensor, Tensor]:
        """The memory: unit columns (D, N) and their labels (N,). Do not modify it."""
        self.catch_up()
        return self.bank, self.labels

    @full_precision
    def similarity(self, z: Tensor) -> Tensor:
        """Similarities of embeddings to all slots.

        Args:
            z (Tensor): Shape (..., D).

        Returns:
            Tensor: ``z @ bank``, shape (..., N), in at least float32.
        """
        bank, _ = self.read()
        return z @ at_least_float32(bank)

    @torch.no_grad()
    def write(self, z: Tensor, labels: Tensor, index: Tensor) -> None:
        """Write the embeddings of all ranks to their images' slots.

        Args:
            z (Tensor): This rank's embeddings, unit vectors, (B, D), B equal
                on all ranks.
            labels (Tensor): Their labels, (B,) int64.
            index (Tensor): Their images' indices in the labeled set, (B,)
                int64. Pass it on the CPU, where it is checked without
                synchronizing. On an accelerator the indexing kernel checks it, and
                its error does not name the image.

        Raises:
            IndexError: If an index on the CPU is outside the bank.
        """
        if index.device.type == 'cpu':
            self._check(index)
        index = index.to(z.device, non_blocking=True)
        z = at_least_float32(z.detach())
        self.hold_back(gather(z), gather(labels), gather(index))

    def _check(self, index: Tensor) -> None:
        outside = index[(index < 0) | (index >= self.size)]
        if len(outside):
            raise IndexError(
                f'labeled image {outside[0].item()} is outside the bank of {self.size} slots: set '
                'model.memory.size to the number of labeled images'
            )

    def _make(self, z: Tensor, labels: Tensor, index: Tensor) -> None:
        # Equal indices write equal values, so the order of writes does not matter.
        z = (index[:, None] == index).to(z.dtype) @ z
        z = F.normalize(z, dim=1).to(self.bank.dtype)
        if self.momentum > 0:
            z = F.normalize(self.bank[:, index].T.lerp(z, 1 - self.momentum), dim=1)
        self.bank.index_copy_(1, index, z.T)
        self.labels.index_copy_(0, index, labels)

    def extra_repr(self) -> str:
        """Text for ``repr``."""
        return f'size={self.size}, dim={self.dim}, momentum={self.momentum}'
