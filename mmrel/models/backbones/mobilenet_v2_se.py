"""MobileNetV2 with squeeze-excitation in each layer or not."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.registry import MODELS

from .block_cache import build_block
from .staged import StagedBackbone, build_map_norm, check_map_norm

_SIZES = ('out_channels', 'hidden_channels', 'kernel_size', 'stride', 'squeeze_channels')


class _Block(nn.Module):
    """Inverted residual: 1x1, depthwise, optional squeeze-excitation, 1x1."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        kernel_size: int,
        stride: int,
        squeeze_channels: int,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        hidden, padding = hidden_channels, kernel_size // 2
        self.residual = stride == 1 and in_channels == out_channels
        self.expand = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.expand_norm = build_map_norm(norm_cfg, hidden)
        self.depthwise = nn.Conv2d(
            hidden, hidden, kernel_size, stride, padding, groups=hidden, bias=False
        )
        self.depthwise_norm = build_map_norm(norm_cfg, hidden)
        self.reduce = nn.Linear(hidden, squeeze_channels) if squeeze_channels else None
        self.restore = nn.Linear(squeeze_channels, hidden) if squeeze_channels else None
        self.project = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.project_norm = build_map_norm(norm_cfg, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out_channels, H / stride, W / stride)."""
        out = F.relu6(self.expand_norm(self.expand(x)))
        out = F.relu6(self.depthwise_norm(self.depthwise(out)))
        if self.reduce is not None and self.restore is not None:
            gate = self.restore(F.relu(self.reduce(out.mean((2, 3)))))
            out = out * gate.sigmoid()[:, :, None, None]
        out = self.project_norm(self.project(out))
        return x + out if self.residual else out


@MODELS.register_module()
class SearchedMobileNetV2(StagedBackbone):
    """The stand-alone network of a path of :class:`MobileNetV2SESpace`.

    Stages follow mmpretrain's ``MobileNetV2``: the depthwise-separable block after
    the stem, the layers of ``blocks``, and the last 1x1 convolution. In ``blocks``
    a stage starts at each layer that has a stride above 1 or changes the channels.
    With the space's defaults:

    ===== ============== ======
    index channels       stride
    ===== ============== ======
    0     16             2
    1     32             4
    2     40             8
    3     80             16
    4     96             16
    5     192            32
    6     320            32
    7     1280           32
    ===== ============== ======

    So ``out_indices=(1, 2, 4, 6)`` gives maps of strides 4 to 32. Only the last
    stage ends with an activation.

    Args:
        blocks (Sequence[dict | None]): ``out_channels``, ``hidden_channels``,
            ``kernel_size``, ``stride`` and ``squeeze_channels`` of each layer.
            None skips the layer.
        stem_channels (int): Defaults to 32.
        stem_stride (int): Defaults to 2.
        first_channels (int): Defaults to 16.
        last_channels (int): Defaults to 1280.
        norm_cfg (dict, optional): Defaults to None: ``dict(type='BN')``. GN:
            ``num_groups`` must divide the channels of all layers.
        out_indices (int | Sequence[int]): Defaults to -1, the last stage.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages. Defaults to -1.
        norm_eval (bool): Keep batch norms in eval mode. Defaults to False.
        with_cp (bool): Recompute activations in the backward pass (gradient
            checkpointing). Defaults to False.
        init_cfg (dict | list, optional): Defaults to None: torch's own
            initialization.

    Shape: (B, 3, H, W) to a tuple with one map (B, channels, H / stride,
    W / stride), rounded up, for each of ``out_indices``.

    Raises:
        ValueError: If a block, ``out_indices``, ``frozen_stages`` or
            ``norm_cfg`` is not valid.
    """

    def __init__(
        self,
        blocks: Sequence[dict | None],
        stem_channels: int = 32,
        stem_stride: int = 2,
        first_channels: int = 16,
        last_channels: int = 1280,
        norm_cfg: dict | None = None,
        out_indices: int | Sequence[int] = -1,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(out_indices, frozen_stages, norm_eval, with_cp, init_cfg)
        _check_blocks(blocks)
        norm_cfg = norm_cfg or dict(type='BN')
        present = [block for block in blocks if block is not None]
        widths = [block[key] for block in present for key in ('hidden_channels', 'out_channels')]
        check_map_norm(norm_cfg, [stem_channels, first_channels, *widths, last_channels])
        stem = stem_channels
        self.stem = build_block('stem', nn.Conv2d, 3, stem, 3, stem_stride, 1, bias=False)
        self.stem_norm = build_block('stem_norm', build_map_norm, norm_cfg, stem)
        self.depthwise = build_block(
            'depthwise', nn.Conv2d, stem, stem, 3, padding=1, groups=stem, bias=False
        )
        self.depthwise_norm = build_block('depthwise_norm', build_map_norm, norm_cfg, stem)
        self.project = build_block('project', nn.Conv2d, stem, first_channels, 1, bias=False)
        self.project_norm = build_block('project_norm', build_map_norm, norm_cfg, first_channels)
        # Where each stage's layers end, its channels and its stride.
        ends, channels, strides = [0], [first_channels], [stem_stride]
        self.layers = nn.ModuleList()
        for i, sizes in enumerate(blocks):
            width = channels[-1]
            self.layers.append(
                nn.Identity()
                if sizes is None
                else build_block(f'layers.{i}', _Block, width, **sizes, norm_cfg=norm_cfg)
            )
            if sizes is not None and (sizes['stride'] > 1 or sizes['out_channels'] != width):
                ends.append(ends[-1])
                channels.append(sizes['out_channels'])
                strides.append(strides[-1] * sizes['stride'])
            ends[-1] += 1
        self.last = build_block('last', nn.Conv2d, channels[-1], last_channels, 1, bias=False)
        self.last_norm = build_block('last_norm', build_map_norm, norm_cfg, last_channels)
        self._starts, self._ends = [0, *ends[:-1]], ends
        self._set_up([*channels, last_channels], [*strides, strides[-1]])

    @property
    def num_stages(self) -> int:
        """Number of stages, including the last convolution."""
        return len(self._ends) + 1

    def _stem_modules(self) -> list[nn.Module]:
        return [self.stem, self.stem_norm]

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        if stage == self.num_stages - 1:
            return [self.last, self.last_norm]
        separable = [self.depthwise, self.depthwise_norm, self.project, self.project_norm]
        return [
            *(separable if stage == 0 else []),
            *self.layers[self._starts[stage] : self._ends[stage]],
        ]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages at ``out_indices``."""
        return tuple(self._outputs(F.relu6(self.stem_norm(self.stem(x)))))

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        if stage == self.num_stages - 1:
            return F.relu6(self.last_norm(self.last(x)))
        if stage == 0:
            x = F.relu6(self.depthwise_norm(self.depthwise(x)))
            x = self.project_norm(self.project(x))
        for i in range(self._starts[stage], self._ends[stage]):
            x = self._run(self.layers[i], x)
        return x


def _check_blocks(blocks: Sequence[dict | None]) -> None:
    for i, block in enumerate(blocks):
        if block is None:
            continue
        if not isinstance(block, dict) or set(block) != set(_SIZES):
            raise ValueError(
                f'backbone.blocks[{i}]={block!r} must be None or have {", ".join(_SIZES)}'
            )
        for key in _SIZES:
            least = 0 if key == 'squeeze_channels' else 1
            if type(block[key]) is not int or block[key] < least:
                raise ValueError(
                    f'backbone.blocks[{i}].{key}={block[key]!r} must be an integer of at least '
                    f'{least}'
                )
        if block['kernel_size'] % 2 == 0:
            raise ValueError(f'backbone.blocks[{i}].kernel_size={block["kernel_size"]} must be odd')
