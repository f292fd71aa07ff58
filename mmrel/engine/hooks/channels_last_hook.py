"""A switch for the channels-last memory format."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmrel.engine.distributed import unwrap
from mmrel.models.supernets import KShotSupernet
from mmrel.registry import HOOKS


def _channels_last(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    if isinstance(x, list | tuple):
        return [_channels_last(item) for item in x]
    return x


def _unsafe_convolutions(model: nn.Module) -> list[str]:
    """Convolutions that oneDNN computes wrongly in channels-last.

    torch 2.14's backward of a strided 1x1 convolution with fewer than 8 input channels
    writes out of bounds on CPUs without AVX-512: the process crashes or hangs.
    """
    return [
        name
        for name, module in _layers(model)
        if isinstance(module, nn.Conv2d)
        and tuple(module.kernel_size) == (1, 1)
        and max(module.stride) > 1
        and module.in_channels // module.groups < 8
    ]


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules, including those of the networks that a K-shot supernet runs."""
    yield from model.named_modules()
    for module in model.modules():
        if isinstance(module, KShotSupernet):
            for path in module.space.covering_paths():
                yield from module.skeleton(path).named_modules()


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the model's weights and its input images in channels-last.

    It changes memory layout and speed, not results. Add it to
    ``custom_hooks``.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, and every batch from now on."""
        model = unwrap(runner.model)
        unsafe = _unsafe_convolutions(model) if get_device() == 'cpu' else []
        if unsafe:
            runner.logger.warning(
                f'ChannelsLastHook is disabled: {unsafe[0]} (1x1, strided, fewer than 8 '
                'input channels) may crash in channels-last on CPUs'
            )
            return
        model.to(memory_format=torch.channels_last)
        model.data_preprocessor.register_forward_hook(self._convert)

    @staticmethod
    def _convert(_module: nn.Module, _args: tuple, output: dict) -> dict:
        return dict(output, inputs=_channels_last(output['inputs']))
