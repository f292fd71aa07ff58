"""Networks of NAS-Bench-Macro."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmpretrain.models.utils import InvertedResidual
from torch import Tensor, nn

from mmrel.registry import MODELS
from mmrel.spaces.nas_bench_macro import BLOCKS

from .block_cache import build_block
from .staged import StagedBackbone, build_map_norm, check_map_norm


class _Shrink(nn.Module):
    """A skipped layer with stride 2: a 1x1 convolution with norm."""

    def __init__(self, before: int, width: int, norm_cfg: dict) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, 1, 2, bias=False)
        self.norm = build_map_norm(norm_cfg, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


def _inverted_residual(
    before: int, width: int, stride: int, expansion: int, kernel: int, norm_cfg: dict
) -> InvertedResidual:
    return InvertedResidual(
        before,
        width,
        before * expansion,
        kernel_size=kernel,
        stride=stride,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
    )


@MODELS.register_module()
class SearchedMacroNetwork(StagedBackbone):
    """The stand-alone network of a path of :class:`.NASBenchMacroSpace`.

    The outputs are those of the stages, with strides 2, 4 and 8, and last of the 1x1
    convolution with norm and ReLU after them.

    Args:
        blocks (Sequence[str]): 'skip', 'mb3_k3' or 'mb6_k5' for each layer.
        stem_channels (int): Channels of the first convolution. Defaults to 32.
        channels (Sequence[int]): Channels of each stage. Defaults to (64, 128, 256).
        layers (Sequence[int]): Layers in each stage. Defaults to (2, 3, 3).
        last_channels (int): Channels of the last convolution. Defaults to 1280.
        norm_cfg (dict, optional): Defaults to None: ``dict(type='BN')``.
        **kwargs: ``out_indices``, ``frozen_stages``, ``norm_eval``, ``with_cp`` and
            ``init_cfg`` of :class:`.StagedBackbone`.

    Shape: (B, 3, H, W) to a tuple with one map (B, channels, H / stride,
    W / stride), rounded up, for each of ``out_indices``.

    Raises:
        ValueError: If a block is unknown, their number is not that of the layers, or
            ``out_indices``, ``frozen_stages`` or ``norm_cfg`` is not valid.
    """

    def __init__(
        self,
        blocks: Sequence[str],
        stem_channels: int = 32,
        channels: Sequence[int] = (64, 128, 256),
        layers: Sequence[int] = (2, 3, 3),
        last_channels: int = 1280,
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(blocks) != sum(layers) or not set(blocks) <= BLOCKS.keys():
            raise ValueError(
                f'backbone.blocks={list(blocks)} must have {sum(layers)} entries (backbone.layers='
                f'{list(layers)}), each one of {list(BLOCKS)}'
            )
        norm_cfg = norm_cfg or dict(type='BN')
        check_map_norm(norm_cfg, [stem_channels, *channels, last_channels])
        self.stem = build_block('stem', nn.Conv2d, 3, stem_channels, 3, padding=1, bias=False)
        self.stem_norm = build_block('stem_norm', build_map_norm, norm_cfg, stem_channels)
        self.layers = nn.ModuleList()
        self._ends: list[int] = []
        before = stem_channels
        for width, number in zip(channels, layers, strict=True):
            for i in range(number):
                self.layers.append(self._layer(blocks, before, width, 1 if i else 2, norm_cfg))
                before = width
            self._ends.append(len(self.layers))
        self.last = build_block('last', nn.Conv2d, before, last_channels, 1, bias=False)
        self.last_norm = build_block('last_norm', build_map_norm, norm_cfg, last_channels)
        strides = [2 ** (i + 1) for i in range(len(channels))]
        self._set_up([*channels, last_channels], [*strides, strides[-1]])

    def _layer(
        self, blocks: Sequence[str], before: int, width: int, stride: int, norm_cfg: dict
    ) -> nn.Module:
        place = len(self.layers)
        block = BLOCKS[blocks[place]]
        if block is not None:
            return build_block(
                f'layers.{place}', _inverted_residual, before, width, stride, *block, norm_cfg
            )
        if stride == 1:
            return nn.Identity()
        return build_block(f'layers.{place}', _Shrink, before, width, norm_cfg)

    @property
    def num_stages(self) -> int:
        """Number of stages, including the last convolution."""
        return len(self._ends) + 1

    def _layers_of(self, stage: int) -> list[nn.Module]:
        return [*self.layers][self._ends[stage - 1] if stage else 0 : self._ends[stage]]

    def _stem_modules(self) -> list[nn.Module]:
        return [self.stem, self.stem_norm]

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        if stage == self.num_stages - 1:
            return [self.last, self.last_norm]
        return self._layers_of(stage)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages at ``out_indices``."""
        return tuple(self._outputs(F.relu(self.stem_norm(self.stem(x)))))

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        if stage == self.num_stages - 1:
            return F.relu(self.last_norm(self.last(x)))
        for layer in self._layers_of(stage):
            x = self._run(layer, x)
        return x
