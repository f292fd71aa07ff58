"""Multi-stage outputs and freezing, shared by the searched and the wide networks."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class StagedBackbone(BaseBackbone):
    """A backbone with a stem and stages, with selectable outputs and freezing.

    The arguments have the same meaning as in mmpretrain's ``ResNet``. A subclass
    creates its layers and then calls :meth:`_set_up`. Its forward runs the stem,
    then :meth:`_outputs`. Stages after the last of ``out_indices`` stay in the state
    dict, but are not computed and get no gradient. So distributed training does not
    need ``find_unused_parameters``.

    Args:
        out_indices (int | Sequence[int]): Stages to output; negative indices count
            from the end. Defaults to -1, the last.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages. Frozen parts get no gradient and stay in eval mode.
            Defaults to -1.
        norm_eval (bool): Keep all batch norms in eval mode, so that their
            running statistics do not change. Defaults to False.
        with_cp (bool): Recompute the blocks' activations in the backward pass
            (gradient checkpointing). Defaults to False.
        init_cfg (dict | list, optional): Defaults to None: torch's own
            initialization.

    Attributes:
        out_indices (tuple[int, ...]): Sorted, non-negative.
        out_channels (tuple[int, ...]): Channels of each output.
        out_strides (tuple[int, ...]): Stride of each output relative to the image;
            a map has ceil(H / stride) rows.
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
        self.out_indices: Any = out_indices
        self.frozen_stages = frozen_stages
        self.norm_eval, self.with_cp = norm_eval, with_cp

    def _set_up(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Check the arguments and freeze stages, once the layers exist.

        Args:
            channels (Sequence[int]): Output channels of every stage.
            strides (Sequence[int]): Output stride of every stage.

        Raises:
            ValueError: If ``out_indices`` or ``frozen_stages`` is not valid.
        """
        number = len(channels)
        self.out_indices = check_out_indices(self.out_indices, number)
        check_frozen_stages(self.frozen_stages, number)
        self.out_channels = tuple(channels[i] for i in self.out_indices)
        self.out_strides = tuple(strides[i] for i in self.out_indices)
        for module in self._parts(self.out_indices[-1] + 2, None):
            module.requires_grad_(False)
        if self.frozen_stages >= 0 or self.norm_eval:
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
        """Run the stages on the stem's output; yield those at ``out_indices``."""
        for stage in range(self.out_indices[-1] + 1):
            x = self._stage(stage, x)
            if stage in self.out_indices:
                yield x

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        """Run a block, with gradient checkpointing if ``with_cp`` is set."""
        if not (self.with_cp and block.training and torch.is_grad_enabled()):
            return block(x)
        again = partial(_recomputing, block)
        return checkpoint(block, x, use_reentrant=False, context_fn=again)


def _recomputing(block: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts for the forward pass and for the recomputation."""
    return nullcontext(), _keep_statistics(block)


@contextmanager
def _keep_statistics(block: nn.Module) -> Iterator[None]:
    """Keep the recomputation from updating the running statistics a second time."""
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm) and m.training]
    before = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def check_out_indices(out_indices: int | Sequence[int], number: int) -> tuple[int, ...]:
    """Check ``out_indices`` and make them sorted and non-negative.

    Args:
        out_indices (int | Sequence[int]): The config's value.
        number (int): Number of stages.

    Returns:
        tuple[int, ...]: At least one index.

    Raises:
        ValueError: If an index is out of range or repeated, or none is given.
    """
    indices = [out_indices] if isinstance(out_indices, int) else out_indices
    valid = isinstance(indices, Sequence) and all(
        type(i) is int and -number <= i < number for i in indices
    )
    places = {i % number for i in indices} if valid else set()
    if not places or len(places) != len(indices):
        shown = list(indices) if isinstance(indices, list | tuple) else indices
        raise ValueError(
            f'backbone.out_indices={shown!r} must be one or more different integers from '
            f'{-number} to {number - 1}: the backbone has {number} outputs to choose from'
        )
    return tuple(sorted(places))


def check_frozen_stages(frozen_stages: int, number: int) -> None:
    """Check that ``frozen_stages`` is in range.

    Args:
        frozen_stages (int): The config's value.
        number (int): Number of stages.

    Raises:
        ValueError: If it is not an integer from -1 to ``number``.
    """
    if type(frozen_stages) is not int or not -1 <= frozen_stages <= number:
        raise ValueError(
            f'backbone.frozen_stages={frozen_stages!r} must be an integer from -1 to {number}: '
            f'-1 freezes nothing, 0 the stem, {number} all stages'
        )


def build_map_norm(norm_cfg: dict, channels: int) -> nn.Module:
    """Build a norm for maps (B, channels, H, W)."""
    return build_norm_layer(norm_cfg, channels)[1]


def check_map_norm(norm_cfg: dict, widths: Sequence[int]) -> None:
    """Check that a norm fits maps of these widths, before it is built.

    Args:
        norm_cfg (dict): The config's value.
        widths (Sequence[int]): Channels of all layers.

    Raises:
        ValueError: If it has no type, normalizes tokens, or its number of groups
            does not divide a width.
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
