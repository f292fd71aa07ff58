"""A first-in first-out memory of past teacher embeddings."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from torch import Tensor

from mmrel.models.utils.held_back import HeldBackUpdate
from mmrel.models.utils.precision import at_least_float32, full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_count


@MODELS.register_module()
class FeatureQueue(HeldBackUpdate):
    """K past embeddings; each step's global batch replaces the oldest.

    The size need not be a multiple of the batch: writes wrap around. The buffers
    ``queue`` (D, K) and ``pointer`` are in the checkpoint.

    The backward pass needs the memory as it was in the forward pass. A written batch
    is therefore held back until the memory is next used or saved. This avoids
    copying the whole memory in each step. Read the memory with :meth:`read` (or from
    the state dict), which include the pending batch.

    Args:
        size (int): K, the number of embeddings (65536, 131072, ...).
        dim (int): D, the width of an embedding (the neck's output width).

    Raises:
        ValueError: If ``size`` or ``dim`` is below 1.
    """

    queue: Tensor
    pointer: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        check_count(1, 'memory', size=size, dim=dim)
        self.size = size
        self.dim = dim
        self.register_buffer('queue', F.normalize(torch.randn(dim, size), dim=0))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    def read(self) -> Tensor:
        """The memory, shape (D, K); columns are unit vectors. Do not modify it."""
        self.catch_up()
        return self.queue

    @full_precision
    def similarity(self, z: Tensor) -> Tensor:
        """Similarities of embeddings to all entries of the memory.

        Args:
            z (Tensor): Shape (..., D).

        Returns:
            Tensor: ``z @ queue``, shape (..., K), in at least float32.
        """
        return z @ self.read()

    @torch.no_grad()
    def write(self, z: Tensor) -> None:
        """Replace the oldest entries by the embeddings of all ranks.

        Args:
            z (Tensor): This rank's embeddings, shape (B, D), B equal on all
                ranks.

        Raises:
            ValueError: If the global batch does not fit into the memory.
        """
        z = torch.cat(all_gather(at_least_float32(z.detach()).contiguous()))
        if len(z) > self.size:
            raise ValueError(
                f'the global batch of {len(z)} is larger than the memory: set '
                f'model.memory.size (now {self.size}) to at least {len(z)}'
            )
        self.hold_back(z)

    def _make(self, z: Tensor) -> None:
        # The host never reads the pointer, so this does not synchronize.
        slots = (self.pointer + torch.arange(len(z), device=z.device)) % self.size
        self.queue.index_copy_(1, slots, z.T.to(self.queue.dtype))
        self.pointer.add_(len(z)).remainder_(self.size)

    def extra_repr(self) -> str:
        """Text for ``repr``."""
        return f'size={self.size}, dim={self.dim}'
