"""What the searched and the wide networks share as backbones of dense prediction."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from mmcv.cnn import build_norm_layer
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class StagedBackbone(BaseBackbone):
    """A stem and stages: which maps are given, which stages are frozen.

    The arguments mean what they mean in mmpretrain's ``ResNet``. A subclass
    creates its layers and then calls :meth:`_set_up`; its forward is the stem, then
    :meth:`_outputs`. Stages after the last of
    ``out_indices`` are not computed and get no gradient, so that distributed
    training needs no search for unused parameters; their keys stay.

    Args:
        out_indices (int | Sequence[int]): Stages whose output is given; negative
            ones count from the end. Defaults to -1, the last.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages. Frozen parts get no gradient and stay in eval mode.
            Defaults to -1.
        norm_eval (bool): Keep all batch norms in eval mode, so that their
            running statistics stay. Defaults to False.
        with_cp (bool): Compute the blocks' activations again in the backward
            pass instead of keeping them. Defaults to False.
        init_cfg (dict | list, optional): Defaults to None: as torch does it.

    Attributes:
        out_indices (tuple[int, ...]): Sorted, not negative.
        out_channels (tuple[int, ...]): Channels of each output.
        out_strides (tuple[int, ...]): How many times smaller than the image each
            output is; a map has ceil(H / stride) rows.
    """

    def __init__(
        self,
        out_indices: int | Sequence[int] = -1,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_indices, self.frozen_stages = out_indices, frozen_stages
        self.norm_eval, self.with_cp = norm_eval, with_cp

    def _set_up(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Check the arguments and freeze, once the layers exist.

        Args:
            channels (Sequence[int]): Of every stage's output.
            strides (Sequence[int]): Of every stage's output.

        Raises:
            ValueError: If ``out_indices`` or ``frozen_stages`` do not fit.
        """
        number = len(channels)
        self.out_indices = check_out_indices(self.out_indices, number)
        check_frozen_stages(self.frozen_stages, number)
        self.out_channels = tuple(channels[i] for i in self.out_indices)
        self.out_strides = tuple(strides[i] for i in self.out_indices)
        for module in self._parts(self.out_indices[-1] + 2, None):
            module.requires_grad_(False)
        self.train(self.training)

    @abstractmethod
    def _stem_modules(self) -> list[nn.Module]:
        """The layers before the first stage."""

    @abstractmethod
    def _stage_modules(self, stage: int) -> list[nn.Module]:
        """The layers of a stage."""

    @abstractmethod
    def _stage(self, stage: int, x: Tensor) -> Tensor:
        """The output of a stage."""

    @property
    @abstractmethod
    def num_stages(self) -> int:
        """Number of stages."""

    def _parts(self, start: int, stop: int | None) -> Iterator[nn.Module]:
        parts = [self._stem_modules(), *map(self._stage_modules, range(self.num_stages))]
        for modules in parts[start:stop]:
            yield from modules

    def train(self, mode: bool = True) -> 'StagedBackbone':
        """Set the mode; frozen parts, and with ``norm_eval`` batch norms, stay in eval mode."""
        super().train(mode)
        for module in self._parts(0, self.frozen_stages + 1):
            module.eval().requires_grad_(False)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _outputs(self, x: Tensor) -> Iterator[Tensor]:
        """The stem's output to the outputs of the stages at ``out_indices``."""
        for stage in range(self.out_indices[-1] + 1):
            x = self._stage(stage, x)
            if stage in self.out_indices:
                yield x

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        """A block's output, its activations kept or not."""
        if not (self.with_cp and block.training and torch.is_grad_enabled()):
            return block(x)
        again = partial(_recomputing, block)
        return checkpoint(block, x, use_reentrant=False, context_fn=again)


def _recomputing(block: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts of the first and of the second computation."""
    return nullcontext(), _keep_statistics(block)


@contextmanager
def _keep_statistics(block: nn.Module) -> Iterator[None]:
    """The second computation must not move the running statistics a second time."""
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm) and m.training]
    before = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def check_out_indices(out_indices: int | Sequence[int], number: int) -> tuple[int, ...]:
    """Places of outputs, sorted and not negative.

    Args:
        out_indices (int | Sequence[int]): Of the config.
        number (int): How many places there are.

    Returns:
        tuple[int, ...]: At least one.

    Raises:
        ValueError: If one does not exist or is given twice, or none is given.
    """
    indices = [out_indices] if isinstance(out_indices, int) else out_indices
    valid = isinstance(indices, Sequence) and all(
        type(i) is int and -number <= i < number for i in indices
    )
    places = {i % number for i in indices} if valid else set()
    if not places or len(places) != len(indices):
        shown = list(indices) if isinstance(indices, list | tuple) else indices
        raise ValueError(
            f'backbone.out_indices={shown!r} must be one or several different integers from '
            f'{-number} to {number - 1}: the backbone has {number} outputs to choose from'
        )
    return tuple(sorted(places))


def check_frozen_stages(frozen_stages: int, number: int) -> None:
    """Refuse stages that do not exist.

    Args:
        frozen_stages (int): Of the config.
        number (int): How many stages there are.

    Raises:
        ValueError: If it is not an integer from -1 to ``number``.
    """
    if type(frozen_stages) is not int or not -1 <= frozen_stages <= number:
        raise ValueError(
            f'backbone.frozen_stages={frozen_stages!r} must be an integer from -1 to {number}: '
            f'-1 freezes nothing, 0 the stem, {number} all stages'
        )


def build_map_norm(norm_cfg: dict, channels: int) -> nn.Module:
    """A norm of maps (B, channels, H, W)."""
    return build_norm_layer(norm_cfg, channels)[1]


def check_map_norm(norm_cfg: dict, widths: Sequence[int]) -> None:
    """Refuse a norm that does not fit maps of these widths, before one is built.

    Args:
        norm_cfg (dict): Of the config.
        widths (Sequence[int]): Channels of all layers.

    Raises:
        ValueError: If it normalizes tokens, or its groups do not divide a width.
    """
    kind = norm_cfg.get('type') if isinstance(norm_cfg, dict) else None
    if kind is None:
        raise ValueError(
            f"backbone.norm_cfg={norm_cfg!r} must be a dict with a type, such as dict(type='BN')"
        )
    if kind in ('LN', nn.LayerNorm):
        raise ValueError(
            f'backbone.norm_cfg.type={kind!r} normalizes tokens, not maps: use BN, SyncBN, GN or '
            'mmpretrain.LN2d'
        )
    if kind in ('GN', nn.GroupNorm):
        groups, common = norm_cfg.get('num_groups'), math.gcd(*widths)
        if type(groups) is not int or groups < 1 or common % groups:
            raise ValueError(
                f'backbone.norm_cfg.num_groups={groups!r} must divide the channels of all layers: '
                f'use {common} or a divisor of it'
            )
