"""Batch norms with statistics over all ranks or over parts of a batch.

``SyncBN`` computes statistics over all ranks, ``SplitBN`` over parts of one
rank's batch. Both have the parameters and buffers of plain BN, so checkpoints
are interchangeable between the three.
"""

from typing import Any

import torch
import torch.distributed.nn.functional as dist_nn
import torch.nn.functional as F
from mmengine.device import get_device
from mmengine.dist import is_distributed
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmrel.registry import MODELS
from mmrel.utils.checks import check_count


@MODELS.register_module(name='CpuSyncBN')
class CpuSyncBatchNorm(_BatchNorm):
    """BN over the batches of all ranks, on the CPU.

    torch implements synchronized statistics for accelerators only. This class uses
    two differentiable all-reduces: first of the sums, then of the squared
    deviations, because ``E[x^2] - E[x]^2`` would lose precision in float32. A config
    asks for ``SyncBN`` (:class:`SyncBatchNorm`), so that it runs on both.

    Args:
        num_features (int): C.
        **kwargs: As ``torch.nn.BatchNorm2d``.

    Shape: (B, C, ...) to (B, C, ...).
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.ndim < 2:
            raise ValueError(f'SyncBN expects at least 2 dimensions, not {tuple(x.shape)}')

    def forward(self, x: Tensor) -> Tensor:
        """Normalize; in training with the statistics of all ranks."""
        if not self.training or not is_distributed():
            return super().forward(x)
        dims = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        count = x.new_tensor([x.numel() / x.shape[1]])
        total = dist_nn.all_reduce(torch.cat([x.sum(dims), count]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centered = x - mean.view(shape)
        variance = dist_nn.all_reduce(centered.square().sum(dims)) / count
        with torch.no_grad():
            self._track(mean, variance * count / (count - 1).clamp(min=1))
        out = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats:
            return
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        factor = self.momentum
        if factor is None:
            factor = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, factor)
        self.running_var.lerp_(variance, factor)


@MODELS.register_module(name='SyncBN')
class SyncBatchNorm(_BatchNorm):
    """BN over the batches of all ranks, on the device that models run on.

    Building one gives torch's ``SyncBatchNorm`` if there is an accelerator when the
    model is built, otherwise :class:`CpuSyncBatchNorm`. torch's cannot be a base class:
    torch's DDP rejects it on CPUs. In the scopes of mmdet and mmseg, ``SyncBN`` is still
    mmcv's.

    Args:
        num_features (int): C.
        **kwargs: As ``torch.nn.BatchNorm2d``.
    """

    def __new__(cls, num_features: int, **kwargs: Any) -> Any:
        """Build the layer of the kind that the device needs."""
        kind = CpuSyncBatchNorm if get_device() == 'cpu' else nn.SyncBatchNorm
        return kind(num_features, **kwargs)


@MODELS.register_module(name='SplitBN')
class SplitBatchNorm2d(nn.BatchNorm2d):
    """BN with separate statistics for parts of the batch.

    On one device it simulates plain BN on several devices. ReSSL's and MoCo's
    small-image settings use 8 splits. Sample i belongs to split ``i % splits``. The
    running statistics are the mean over the splits. In eval mode it is plain BN.

    Args:
        num_features (int): C.
        splits (int): Number of parts. The batch size must be a multiple of it.
            Defaults to 8.
        **kwargs: As ``torch.nn.BatchNorm2d``.

    Shape: (B, C, H, W) to (B, C, H, W).

    Raises:
        ValueError: If ``splits`` is below 1, or the size of a training batch is
            not a multiple of it.
    """

    def __init__(self, num_features: int, splits: int = 8, **kwargs: Any) -> None:
        super().__init__(num_features, **kwargs)
        check_count(1, 'norm_cfg', splits=splits)
        self.splits = splits

    def forward(self, x: Tensor) -> Tensor:
        """Normalize; in training each split with its own statistics."""
        if not self.training or self.splits == 1:
            return super().forward(x)
        batch, channels, *space = x.shape
        if batch % self.splits:
            raise ValueError(
                f'SplitBN: a batch of {batch} cannot be split into norm_cfg.splits={self.splits} '
                'equal parts: use a batch size that is a multiple of it'
            )
        grouped = x.reshape(batch // self.splits, self.splits * channels, *space)
        mean, var = self._for_all(self.running_mean), self._for_all(self.running_var)
        momentum = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        out = F.batch_norm(
            grouped,
            mean,
            var,
            self._for_all(self.weight),
            self._for_all(self.bias),
            training=True,
            momentum=momentum or 0.0,
            eps=self.eps,
        )
        with torch.no_grad():
            for running, new in ((self.running_mean, mean), (self.running_var, var)):
                if running is not None and new is not None:
                    running.copy_(new.view(self.splits, channels).mean(0))
        return out.reshape(x.shape)

    def _for_all(self, values: Tensor | None) -> Tensor | None:
        """Values of the channels, repeated for each split."""
        return None if values is None else values.repeat(self.splits)
