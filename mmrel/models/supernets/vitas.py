"""The super-transformer of ViTAS: all paths of a space with shared weights."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from mmrel.models.backbones.patch_stem import PatchStem, fresh_tokens
from mmrel.models.backbones.searched_vit import MLP
from mmrel.registry import MODELS
from mmrel.spaces import ArchPath, ViTASSpace

from .sides import SIDES, cut
from .supernet import Supernet


class _Attention(nn.Module):
    """v is shared by all head choices; each has its own fused q-k projection."""

    def __init__(self, space: ViTASSpace) -> None:
        super().__init__()
        width = space.qkv_dims // 3
        self.qk = nn.ModuleList(nn.Linear(space.embed_dims, 2 * width) for _ in space.heads)
        self.v = nn.Linear(space.embed_dims, width)
        self.proj = nn.Linear(width, space.embed_dims)


class _Block(nn.Module):
    """The widest layers of a block."""

    def __init__(self, space: ViTASSpace) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(space.embed_dims)
        self.attn = _Attention(space)
        self.norm2 = nn.LayerNorm(space.embed_dims)
        self.mlp = MLP(space.embed_dims, space.mlp_dims)


@MODELS.register_module()
class ViTASSupernet(Supernet):
    """The largest layers of a space; a path runs with slices of them.

    Each patch size has its own stem (patch embedding, class token, position
    embedding). Each head choice of a block has its own q-k projection.
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
            space,
            init_cfg
            or [
                dict(type='TruncNormal', layer='Linear', std=0.02),
                dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
            ],
        )
        if sharing not in SIDES:
            raise ValueError(f'backbone.sharing={sharing!r} must be one of {list(SIDES)}')
        self.space: ViTASSpace
        self.sides = SIDES[sharing]
        self.drop_path_rate = drop_path_rate
        self.stems = nn.ModuleList(
            PatchStem(space.image_size, patch, space.embed_dims) for patch in space.patch_sizes
        )
        self.blocks = nn.ModuleList(_Block(space) for _ in range(space.depth))
        self.norm = nn.LayerNorm(space.embed_dims)

    def init_weights(self) -> None:
        """Initialize layers, class tokens and position embeddings."""
        with fresh_tokens(self, cast(Iterable[PatchStem], self.stems)):
            super().init_weights()

    def backbone_config(self, path: ArchPath) -> dict:
        """Config of a path's ``SearchedViT``, with this attention scale and DropPath rate."""
        config = self.space.subnet(path, inherit=True)['backbone']
        return dict(config, drop_path_rate=self.drop_path_rate)

    def tensors(self, path: ArchPath, side: str = 'left') -> dict[str, Tensor]:
        """Slices of the parameters for a path.

        Args:
            path (ArchPath): A path of the space.
            side (str): 'left' or 'right' slices. Defaults to 'left'.

        Returns:
            dict[str, Tensor]: By the keys of ``SearchedViT``.

        Raises:
            ValueError: If the path is not in the space, or the side is unknown.
        """
        return dict(self._cut(path, side))

    def _cut(self, path: ArchPath, side: str) -> Iterator[tuple[str, Tensor]]:
        network = self.space.network(path)
        d = network['embed_dims']
        stem: Any = self.stems[self.space.patch_sizes.index(network['patch_size'])]
        yield 'stem.cls_token', cut(stem.cls_token, (None, None, d), side)
        yield 'stem.pos_embed', cut(stem.pos_embed, (None, None, d), side)
        yield from _parts('stem.patch_embed.projection', stem.patch_embed.projection, (d,), side)
        blocks = cast(Iterable[_Block], self.blocks)
        for i, (block, config) in enumerate(zip(blocks, network['blocks'], strict=True)):
            if config is None:
                continue
            width, hidden = config['qkv_dims'] // 3, config['mlp_dims']
            chosen = block.attn.qk[self.space.heads.index(config['num_heads'])]
            # q and k are sliced as one layer.
            qk = dict(_parts('qkv', chosen, (2 * width, d), side))
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
