"""Channels-last memory format as a switch."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmrel.engine.distributed import unwrap
from mmrel.registry import HOOKS


def _channels_last(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    if isinstance(x, list | tuple):
        return [_channels_last(item) for item in x]
    return x


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the model's weights and its input images in channels-last.

    It changes memory layout and speed, not results. Add it to
    ``custom_hooks``.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, and from now on each batch."""
        model = unwrap(runner.model)
        model.to(memory_format=torch.channels_last)
        model.data_preprocessor.register_forward_hook(self._convert)

    @staticmethod
    def _convert(_module: nn.Module, _args: tuple, output: dict) -> dict:
        return dict(output, inputs=_channels_last(output['inputs']))
