"""Configs read once, and models built from them without their first weights."""

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn
from torch.overrides import TorchFunctionMode

from mmrel.models.utils.num_classes import complete_count
from mmrel.registry import MODELS

_RANDOM = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.init.trunc_normal_}
# What the rest of an initialization does with a weight.
_OF_WEIGHTS = {getattr(torch.Tensor, f'{name}_') for name in ('erfinv', 'mul', 'add', 'clamp')}
_OF_WEIGHTS |= {torch.Tensor.fill_, torch.Tensor.zero_, torch.Tensor.clamp_}


class _NoFirstWeights(TorchFunctionMode):
    """Leave parameters as they were allocated; buffers and settings get their values.

    Not the meta device: some constructors read values of tensors that they make.
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        skipped = function in _RANDOM or (
            function in _OF_WEIGHTS and isinstance(args[0], nn.Parameter)
        )
        return args[0] if skipped else function(*args, **(kwargs or {}))


@functools.cache
def _read(path: Path) -> Config:
    return Config.fromfile(path)


def read_config(path: Path) -> Config:
    """The config of a file; a copy of what was read the first time."""
    return copy.deepcopy(_read(path))


def build_model(cfg: Config) -> nn.Module:
    """A config's model, whole but for the values of its weights."""
    model = dict(cfg.model)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    complete_count(model, None, lambda: 10)  # where the folder decides
    with _NoFirstWeights():
        return MODELS.build(model)
