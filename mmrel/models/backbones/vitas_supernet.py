"""The super-transformer of ViTAS: all paths of a space with shared weights."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from mmrel.models.utils.attention import attend
from mmrel.models.utils.sides import SIDES, cut, linear_on_side, norm_on_side
from mmrel.registry import MODELS
from mmrel.search import Path, ViTASSpace

from .patch_stem import PatchStem, fresh_tokens
from .searched_vit import BLOCK_EPS, FINAL_EPS, MLP


class _SupernetStem(PatchStem):
    """A stem with sliced patch embedding, class token and positions."""

    def forward(  # type: ignore[override]
        self, x: Tensor, width: int, side: str
    ) -> Tensor:
        """Images (B, 3, H, W) to tokens (B, T + 1, width)."""
        conv = self.patch_embed.projection
        weight, bias = (cut(p, (width,), side) for p in (conv.weight, conv.bias))
        x = F.conv2d(self.patch_embed.adaptive_padding(x), weight, bias, conv.stride)
        grid = x.shape[2:]
        token, positions = (
            cut(p, (None, None, width), side) for p in (self.cls_token, self.pos_embed)
        )
        x = torch.cat([token.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        return x + resize_pos_embed(positions, self.grid, grid)


class _SupernetAttention(nn.Module):
    """v is shared by all head choices; each has its own fused q-k projection."""

    def __init__(self, space: ViTASSpace) -> None:
        super().__init__()
        width = space.qkv_dims // 3
        self.qk = nn.ModuleList(nn.Linear(space.embed_dims, 2 * width) for _ in space.heads)
        self.v = nn.Linear(space.embed_dims, width)
        self.proj = nn.Linear(width, space.embed_dims)


class _SupernetBlock(nn.Module):
    def __init__(self, space: ViTASSpace, drop_path: float) -> None:
        super().__init__()
        self.heads = space.heads
        self.scale = space.attn_scale
        self.norm1 = nn.LayerNorm(space.embed_dims, eps=BLOCK_EPS)
        self.attn = _SupernetAttention(space)
        self.norm2 = nn.LayerNorm(space.embed_dims, eps=BLOCK_EPS)
        self.mlp = MLP(space.embed_dims, space.mlp_dims)
        self.drop_path = DropPath(drop_path)

    def qk_of(self, num_heads: int) -> nn.Linear:
        """The q-k projection of a head choice."""
        return cast(nn.Linear, self.attn.qk[self.heads.index(num_heads)])

    def forward(self, x: Tensor, num_heads: int, qkv_dims: int, mlp_dims: int, side: str) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        width = qkv_dims // 3
        y = norm_on_side(self.norm1, x, side)
        # Slice q and k as one layer, then split them.
        qk = linear_on_side(self.qk_of(num_heads), y, 2 * width, side)
        v = linear_on_side(self.attn.v, y, width, side)
        y = attend(qk, v, num_heads, self.scale)
        x = x + self.drop_path(linear_on_side(self.attn.proj, y, x.shape[-1], side))
        y = linear_on_side(self.mlp.fc1, norm_on_side(self.norm2, x, side), mlp_dims, side)
        return x + self.drop_path(linear_on_side(self.mlp.fc2, F.gelu(y), x.shape[-1], side))


@MODELS.register_module()
class ViTASSupernet(BaseModule):
    """Run every path of a space with slices of the largest layers.

    Each patch size has its own stem (patch embedding, class token, position
    embedding). Each head choice of a block has its own q-k projection. The path is
    an argument of the forward; layers hold no state for it.
    Source: ViTAS (arXiv:2106.13700), with the width sharing of BCNet.

    Args:
        space (ViTASSpace): The space.
        sharing (str): 'bcnet' runs a path on the left and on the right slices,
            'autoslim' only on the left ones. Defaults to 'bcnet'.
        drop_path_rate (float): DropPath rate of the last block. It rises linearly
            from 0 in the first block. Defaults to 0.0.
        init_cfg (dict | list, optional): Defaults to None: truncated normal
            weights, std 0.02.

    Raises:
        ValueError: If ``sharing`` is unknown.
    """

    def __init__(
        self,
        space: ViTASSpace,
        sharing: str = 'bcnet',
        drop_path_rate: float = 0.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or [
                dict(type='TruncNormal', layer='Linear', std=0.02),
                dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
            ]
        )
        if sharing not in SIDES:
            raise ValueError(f'backbone.sharing={sharing!r} must be one of {list(SIDES)}')
        self.space = space
        self.sides = SIDES[sharing]
        self.stems = nn.ModuleList(
            _SupernetStem(space.image_size, patch, space.embed_dims) for patch in space.patch_sizes
        )
        rates = torch.linspace(0, drop_path_rate, space.depth).tolist()
        self.blocks = nn.ModuleList(_SupernetBlock(space, rate) for rate in rates)
        self.norm = nn.LayerNorm(space.embed_dims, eps=FINAL_EPS)

    def init_weights(self) -> None:
        """Initialize layers, class tokens and position embeddings."""
        with fresh_tokens(self, cast(Iterable[PatchStem], self.stems)):
            super().init_weights()

    def stem_of(self, patch_size: int) -> _SupernetStem:
        """The stem for a patch size."""
        return cast(_SupernetStem, self.stems[self.space.patch_sizes.index(patch_size)])

    def forward(self, x: Tensor, path: Path, side: str = 'left') -> Tensor:
        """The class token of a path.

        Args:
            x (Tensor): Images, (B, 3, H, W).
            path (Path): A path of the space.
            side (str): 'left' or 'right' slices. Defaults to 'left'.

        Returns:
            Tensor: After the final norm, (B, w) with the path's embedding width w.

        Raises:
            ValueError: If the path is not in the space.
        """
        network = self.space.network(path)
        x = self.stem_of(network['patch_size'])(x, network['embed_dims'], side)
        for block, config in zip(self.blocks, network['blocks'], strict=True):
            if config is not None:
                x = block(x, **config, side=side)
        # The head uses only the class token, and norms do not mix tokens.
        return norm_on_side(self.norm, x[:, 0], side)

    @torch.no_grad()
    def subnet_state_dict(self, path: Path, side: str = 'left') -> dict[str, Tensor]:
        """A copy of a path's weights for a ``SearchedViT``.

        Args:
            path (Path): A path of the space.
            side (str): 'left' or 'right' slices. Defaults to 'left'.

        Returns:
            dict[str, Tensor]: State dict for ``space.subnet(path)['backbone']``.
            With ``inherit=True`` that network gives the path's outputs.
        """
        return {key: value.clone() for key, value in self._cut(path, side)}

    def _cut(self, path: Path, side: str) -> Iterator[tuple[str, Tensor]]:
        network = self.space.network(path)
        d = network['embed_dims']
        stem = self.stem_of(network['patch_size'])
        yield 'stem.cls_token', cut(stem.cls_token, (None, None, d), side)
        yield 'stem.pos_embed', cut(stem.pos_embed, (None, None, d), side)
        yield from _parts('stem.patch_embed.projection', stem.patch_embed.projection, (d,), side)
        blocks = cast(Iterable[_SupernetBlock], self.blocks)
        for i, (block, config) in enumerate(zip(blocks, network['blocks'], strict=True)):
            if config is None:
                continue
            width, hidden = config['qkv_dims'] // 3, config['mlp_dims']
            qk = dict(_parts('qkv', block.qk_of(config['num_heads']), (2 * width, d), side))
            v = dict(_parts('qkv', block.attn.v, (width, d), side))
            yield from ((f'blocks.{i}.attn.{k}', torch.cat([qk[k], v[k]])) for k in qk)
            layers: tuple[tuple[str, nn.Module, tuple[int, ...]], ...] = (
                ('norm1', block.norm1, (d,)),
                ('attn.proj', block.attn.proj, (d, width)),
                ('norm2', block.norm2, (d,)),
                ('mlp.fc1', block.mlp.fc1, (hidden, d)),
                ('mlp.fc2', block.mlp.fc2, (d, hidden)),
            )
            for name, layer, widths in layers:
                yield from _parts(f'blocks.{i}.{name}', layer, widths, side)
        yield from _parts('norm', self.norm, (d,), side)


def _parts(
    name: str, layer: Any, widths: tuple[int, ...], side: str
) -> Iterator[tuple[str, Tensor]]:
    """Sliced weight and bias of a layer; the bias has the output width."""
    yield f'{name}.weight', cut(layer.weight, widths, side)
    yield f'{name}.bias', cut(layer.bias, widths[:1], side)
