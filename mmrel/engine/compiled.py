"""Runner mixin for torch.compile."""

import os
import shutil
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.device import get_device
from torch import nn

from mmrel.spaces import SearchableModel
from mmrel.utils.mixin import Mixin

from .distributed import unwrap

_REMEDY = 'leave out --compile (compile=...)'


def backbones(model: nn.Module) -> dict[str, nn.Module]:
    """The networks of a model that are compiled: the student's and the teacher's.

    Args:
        model (nn.Module): An unwrapped model.

    Returns:
        dict[str, nn.Module]: All modules called ``backbone``, by their full name.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if name.rpartition('.')[2] == 'backbone'
    }


def check_compile(settings: Any, model: nn.Module) -> None:
    """Check that a model can be compiled.

    Args:
        settings (Any): ``compile`` of the config.
        model (nn.Module): An unwrapped model.

    Raises:
        ValueError: If ``settings`` is neither a bool nor a dict, the model is a supernet or
            has no backbone, or there is no C++ compiler for the CPU.
    """
    _check_type(settings)
    if not _is_on(settings):
        return
    name = type(model).__name__
    if isinstance(model, SearchableModel):
        raise ValueError(
            f'compile={settings!r} does not work with {name}: a supernet runs a different path in '
            f'every step, which would have to be compiled; {_REMEDY}'
        )
    if not backbones(model):
        raise ValueError(
            f'compile={settings!r} compiles the backbone, but {name} has none; {_REMEDY}'
        )
    if isinstance(settings, dict) and settings.get('backend', 'inductor') != 'inductor':
        return
    compilers = [os.environ['CXX']] if 'CXX' in os.environ else ['g++', 'clang++']
    if get_device() == 'cpu' and not any(map(shutil.which, compilers)):
        raise ValueError(
            f'compile={settings!r} needs a C++ compiler, but {" and ".join(compilers)} '
            f'cannot be found: install one, set CXX, or {_REMEDY}'
        )


def _check_type(settings: Any) -> None:
    if not isinstance(settings, bool | dict | None):
        raise ValueError(
            f'compile={settings!r} must be True, False or a dict with arguments of torch.compile'
        )


def _is_on(settings: Any) -> bool:
    return settings is True or isinstance(settings, dict)


class CompiledBackbones(Mixin):
    """Runner mixin: ``compile`` of the config compiles the backbones, for training steps only.

    mmengine compiles the whole ``train_step``. Its Python code, such as the message hub and
    the optimizer, breaks the graph and is compiled again in later steps. The backbones are one
    graph each. They stay the same modules, so checkpoints keep their keys. Validation and
    other passes between the steps are not compiled: they have other batch sizes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _check_type(self.cfg.get('compile'))

    def train(self) -> nn.Module:
        """Train; only the training steps run compiled code."""
        # Not earlier: a test or a search with this config compiles nothing.
        check_compile(self.cfg.get('compile'), unwrap(self.model))
        compiles = _is_on(self.cfg.get('compile'))
        with torch.compiler.set_stance('force_eager') if compiles else nullcontext():
            return super().train()

    def _maybe_compile(self, target: str) -> None:
        """Compile the backbones; mmengine would compile the model's method ``target``."""
        settings = self.cfg.get('compile')
        if not _is_on(settings):
            return
        # A view of another size gets its own graph: one graph for all sizes is slower.
        options = dict(dynamic=False) | (dict(settings) if isinstance(settings, dict) else {})
        found = backbones(unwrap(self.model))
        for module in found.values():
            module.compile(**options)
        step = getattr(self.model, target)

        def compiled_step(*args: Any, **kwargs: Any) -> Any:
            with torch.compiler.set_stance('default'):
                return step(*args, **kwargs)

        setattr(self.model, target, compiled_step)
        self.logger.info(
            f'torch.compile: {", ".join(found)}; the first step takes a minute or more'
        )
