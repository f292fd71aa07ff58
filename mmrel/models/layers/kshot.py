"""Layers that hold K weights and run with a mixture of them.

The code of the mixture is an argument of the forward; layers hold no state for it.
The number of input channels comes from the input, the number of output channels
from ``out_channels``. With K = 1 each layer equals the ordinary layer bit for bit,
for any code.
Source: K-shot NAS (arXiv:2106.06442).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def mix(theta: Tensor, code: Tensor) -> Tensor:
    """``sum_k code_k * theta_k``, in the precision of ``theta`` even under autocast.

    Args:
        theta (Tensor): K weights, (K, ...).
        code (Tensor): Shape (K,).

    Returns:
        Tensor: Shape (...). With K = 1, ``theta_1`` itself.
    """
    if len(theta) == 1:
        return theta.squeeze(0)
    device = theta.device.type
    if torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return mix(theta, code)
    # As (1, K) x (K, N), so that theta's gradient is written once, in theta's layout.
    flat = code.to(theta.dtype).unsqueeze(0) @ theta.reshape(len(theta), -1)
    return flat.view(theta.shape[1:])


def _stack(k: int, layer: type[nn.Module], *args: Any, **kwargs: Any) -> dict[str, nn.Parameter]:
    """Stacked parameters of K ordinary layers, each with torch's own initialization."""
    if k < 1:
        raise ValueError(f'k={k} must be at least 1')
    states = [dict(layer(*args, **kwargs).named_parameters()) for _ in range(k)]
    return {
        name: nn.Parameter(torch.stack([state[name].detach() for state in states]))
        for name in states[0]
    }


class PathStatistics:
    """BN statistics of one path, stored outside the supernet.

    While it records, norms use the statistics of each batch and average them over
    the batches, like torch's BN with ``momentum=None``. The supernet's running
    statistics do not change. After :meth:`finish` norms use the averages.
    """

    def __init__(self) -> None:
        self.recording = True
        self.batches = 0
        self._values: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def next_batch(self) -> 'PathStatistics':
        """Begin a batch; call this before each forward to record."""
        self.batches += 1
        return self

    def finish(self) -> 'PathStatistics':
        """Stop recording; norms use the averages from now on.

        Raises:
            ValueError: If nothing was recorded.
        """
        if not self.batches:
            raise ValueError('no batch was recorded: BN statistics need at least one')
        self.recording = False
        return self

    def of(self, norm: 'KShotBatchNorm2d', channels: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of a norm's first channels, (C,) each, to update in place.

        Raises:
            KeyError: If the norm was not recorded.
        """
        if norm not in self._values:
            if not self.recording:
                raise KeyError(
                    'these BN statistics are from another path: the norm was not recorded'
                )
            like = norm.running_mean
            self._values[norm] = like.new_zeros(channels), like.new_ones(channels)
        return self._values[norm]


class KShotConv2d(nn.Module):
    """A convolution with K weights, (K, out, in, kernel, kernel), without bias.

    Args:
        k (int): K.
        in_channels (int): Maximum number of input channels.
        out_channels (int): Maximum number of output channels.
        kernel_size (int): Odd, so that the padding keeps the size at stride 1.
        stride (int): Defaults to 1.
        depthwise (bool): One filter per channel, with equal numbers of inputs and
            outputs. Defaults to False.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    def __init__(
        self,
        k: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        groups = in_channels if depthwise else 1
        sizes = in_channels, out_channels, kernel_size
        stacked = _stack(k, nn.Conv2d, *sizes, groups=groups, bias=False)
        self.weight = stacked['weight']
        self.stride, self.padding, self.depthwise = stride, kernel_size // 2, depthwise

    def forward(self, x: Tensor, code: Tensor, out_channels: int | None = None) -> Tensor:
        """Convolve with the mixed filters.

        Args:
            x (Tensor): Shape (B, C, H, W): the first C input channels are used.
            code (Tensor): Shape (K,).
            out_channels (int, optional): Number of output channels; a depthwise
                layer has C. Defaults to None: all.

        Returns:
            Tensor: Shape (B, out_channels, H / stride, W / stride).
        """
        channels = x.shape[1]
        if self.depthwise:
            weight = mix(self.weight[:, :channels], code)
            return F.conv2d(x, weight, None, self.stride, self.padding, groups=channels)
        weight = mix(self.weight[:, :out_channels, :channels], code)
        return F.conv2d(x, weight, None, self.stride, self.padding)


class KShotLinear(nn.Module):
    """A linear layer with K weights, (K, out, in), and K biases, (K, out).

    Args:
        k (int): K.
        in_features (int): Maximum number of inputs.
        out_features (int): Maximum number of outputs.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    def __init__(self, k: int, in_features: int, out_features: int) -> None:
        super().__init__()
        stacked = _stack(k, nn.Linear, in_features, out_features)
        self.weight, self.bias = stacked['weight'], stacked['bias']

    def forward(self, x: Tensor, code: Tensor, out_features: int | None = None) -> Tensor:
        """(B, C) to (B, out_features); the first C inputs are used."""
        weight = mix(self.weight[:, :out_features, : x.shape[1]], code)
        return F.linear(x, weight, mix(self.bias[:, :out_features], code))


class KShotBatchNorm2d(nn.Module):
    """BN with K scales and K shifts, (K, C), and shared running statistics.

    Args:
        k (int): K.
        num_features (int): Maximum number of channels.
        eps (float): Defaults to 1e-5.
        momentum (float): Defaults to 0.1.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    def __init__(self, k: int, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        stacked = _stack(k, nn.BatchNorm2d, num_features)
        self.weight, self.bias = stacked['weight'], stacked['bias']
        self.eps, self.momentum = eps, momentum
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        self.register_buffer('running_mean', torch.zeros(num_features))
        self.register_buffer('running_var', torch.ones(num_features))
        self.register_buffer('num_batches_tracked', torch.tensor(0))

    def forward(self, x: Tensor, code: Tensor, statistics: PathStatistics | None = None) -> Tensor:
        """Normalize.

        Args:
            x (Tensor): Shape (B, C, H, W): the first C channels are used.
            code (Tensor): Shape (K,).
            statistics (PathStatistics, optional): Statistics to record or to use.
                Defaults to None: as ordinary BN, with batch statistics (and an
                update of the running ones) in training, running statistics in
                evaluation.

        Returns:
            Tensor: Same shape as ``x``.
        """
        channels = x.shape[1]
        weight, bias = mix(self.weight[:, :channels], code), mix(self.bias[:, :channels], code)
        momentum, batch = self.momentum, self.training
        if statistics is not None:
            mean, variance = statistics.of(self, channels)
            momentum, batch = 1.0 / max(statistics.batches, 1), statistics.recording
        else:
            mean, variance = self.running_mean[:channels], self.running_var[:channels]
            if batch:
                self.num_batches_tracked.add_(1)
        return F.batch_norm(x, mean, variance, weight, bias, batch, momentum, self.eps)
