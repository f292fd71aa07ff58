"""Stand-alone vision transformers whose blocks differ in heads and widths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks import DropPath
from mmpretrain.models.utils import LayerNorm2d
from torch import Tensor, nn

from mmrel.models.layers.attention import attend
from mmrel.registry import MODELS

from .block_cache import build_block
from .patch_stem import PatchStem, fresh_tokens
from .staged import StagedBackbone

BLOCK_EPS, FINAL_EPS = 1e-6, 1e-5

OUT_TYPES = ('cls_token', 'featmap', 'raw')


class _Attention(nn.Module):
    def __init__(self, embed_dims: int, num_heads: int, qkv_dims: int, scale: float) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, scale
        self.qkv = nn.Linear(embed_dims, qkv_dims)
        self.proj = nn.Linear(qkv_dims // 3, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        width = self.proj.in_features
        qk, v = self.qkv(x).split((2 * width, width), dim=-1)
        return self.proj(attend(qk, v, self.num_heads, self.scale))


class MLP(nn.Module):
    """Linear, exact GELU, linear.

    Args:
        embed_dims (int): Width of inputs and outputs.
        mlp_dims (int): Width of the hidden layer.
    """

    def __init__(self, embed_dims: int, mlp_dims: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, mlp_dims)
        self.fc2 = nn.Linear(mlp_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """(..., embed_dims) to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


def _token_norm(norm_cfg: dict | None, embed_dims: int, eps: float) -> nn.Module:
    """Build a norm for tokens; by default LN with the epsilon of the released weights."""
    norm_cfg = norm_cfg or dict(type='LN', eps=eps)
    layer = build_norm_layer(norm_cfg, embed_dims)[1]
    if not isinstance(layer, nn.LayerNorm | nn.RMSNorm) or isinstance(layer, LayerNorm2d):
        raise ValueError(
            f'backbone.norm_cfg.type={norm_cfg["type"]!r} normalizes maps, not tokens: use LN'
        )
    return layer


class _Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        qkv_dims: int,
        mlp_dims: int,
        scale: float,
        drop_path: float,
        norm_cfg: dict | None,
    ) -> None:
        super().__init__()
        self.norm1 = _token_norm(norm_cfg, embed_dims, BLOCK_EPS)
        self.attn = _Attention(embed_dims, num_heads, qkv_dims, scale)
        self.norm2 = _token_norm(norm_cfg, embed_dims, BLOCK_EPS)
        self.mlp = MLP(embed_dims, mlp_dims)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


@MODELS.register_module()
class SearchedViT(StagedBackbone):
    """A vision transformer whose heads and widths are set for each block.

    Source: ViTAS (arXiv:2106.13700). Outputs and arguments follow mmpretrain's
    ``VisionTransformer`` wherever they correspond. All outputs have D channels and
    the patch size as stride. If a checkpoint is for another image size, its
    position embeddings are resized on loading.

    Args:
        embed_dims (int): Embedding width D.
        blocks (Sequence[dict | None]): ``num_heads``, ``qkv_dims`` (q, k and v
            together) and ``mlp_dims`` of each block. None is an identity block;
            it still counts in ``out_indices``, in the DropPath rates and in the
            keys.
        img_size (int | Sequence[int]): Image size in pixels: the side, or height
            and width. For other image sizes the position embeddings are
            interpolated, and images are padded to multiples of the patch size.
            Defaults to 224.
        patch_size (int): Side of a patch in pixels. Defaults to 16.
        in_channels (int): Number of image channels. Defaults to 3.
        attn_scale (float, optional): Scale of q k^T. Defaults to None:
            ``(embed_dims // num_heads) ** -0.5``, as in the released weights.
        drop_path_rate (float): DropPath rate of the last block. It rises linearly
            from 0 in the first block. Defaults to 0.0.
        out_indices (int | Sequence[int]): Blocks to output. An identity block
            outputs the same as the block before it. Defaults to -1, the last.
        out_type (str): 'cls_token', (B, D); 'featmap', (B, D, h, w); 'raw', all
            tokens. Defaults to 'cls_token'.
        final_norm (bool): Normalize the last block's output. Defaults to True.
        norm_cfg (dict, optional): Config of all norms. Defaults to None: ``LN``,
            eps 1e-6 in the blocks and 1e-5 at the end.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n blocks. If all blocks are frozen, the final norm is too. Frozen
            parts get no gradient and stay in eval mode. Defaults to -1.
        with_cp (bool): Recompute the blocks' activations in the backward pass
            (gradient checkpointing). Defaults to False.
        interpolate_mode (str): How to resize position embeddings: 'bicubic' or
            'bilinear'. Defaults to 'bicubic'.
        init_cfg (dict | list, optional): Defaults to None: truncated normal
            weights, std 0.02.

    Shape: (B, 3, H, W) to a tuple with one output for each of ``out_indices``. h
    and w are H and W divided by the patch size, rounded up.

    Raises:
        ValueError: If heads, widths, sizes, indices, the norm or the output type
            is not valid.
    """

    def __init__(
        self,
        embed_dims: int,
        blocks: Sequence[dict | None],
        img_size: int | Sequence[int] = 224,
        patch_size: int = 16,
        in_channels: int = 3,
        attn_scale: float | None = None,
        drop_path_rate: float = 0.0,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'cls_token',
        final_norm: bool = True,
        norm_cfg: dict | None = None,
        frozen_stages: int = -1,
        with_cp: bool = False,
        interpolate_mode: str = 'bicubic',
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            out_indices,
            frozen_stages,
            with_cp=with_cp,
            init_cfg=init_cfg
            or [
                dict(type='TruncNormal', layer='Linear', std=0.02),
                dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
            ],
        )
        _check_blocks(blocks)
        if out_type not in OUT_TYPES:
            raise ValueError(f'backbone.out_type={out_type!r} must be one of {OUT_TYPES}')
        heads = [block['num_heads'] for block in blocks if block is not None]
        if attn_scale is None and heads and embed_dims < max(heads):
            raise ValueError(
                f'backbone.embed_dims={embed_dims} is less than num_heads={max(heads)} of a block: '
                'the default attention scale needs at least one channel per head; raise embed_dims '
                'or set backbone.attn_scale'
            )
        self.img_size = img_size
        self.embed_dims = embed_dims
        self.out_type = out_type
        self.stem = build_block(
            'stem', PatchStem, img_size, patch_size, embed_dims, in_channels, interpolate_mode
        )
        rates = torch.linspace(0, drop_path_rate, len(blocks), device='cpu').tolist()
        self.blocks = nn.ModuleList(
            nn.Identity()
            if block is None
            else build_block(
                f'blocks.{i}',
                _Block,
                embed_dims,
                scale=(embed_dims // block['num_heads']) ** -0.5
                if attn_scale is None
                else attn_scale,
                drop_path=rate,
                norm_cfg=norm_cfg,
                **block,
            )
            for i, (block, rate) in enumerate(zip(blocks, rates, strict=True))
        )
        self.norm = (
            build_block('norm', _token_norm, norm_cfg, embed_dims, FINAL_EPS)
            if final_norm
            else None
        )
        self._set_up([embed_dims] * len(blocks), [patch_size] * len(blocks))

    def init_weights(self) -> None:
        """Initialize layers, class token and position embedding, or load them."""
        with fresh_tokens(self, [self.stem]):
            super().init_weights()

    @property
    def num_stages(self) -> int:
        """Number of blocks, identity blocks included."""
        return len(self.blocks)

    def _stem_modules(self) -> list[nn.Module]:
        return [self.stem]

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        last = stage == self.num_stages - 1
        return [self.blocks[stage], *([self.norm] if last and self.norm is not None else [])]

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        x = self._run(self.blocks[stage], x)
        if stage == self.num_stages - 1 and self.norm is not None:
            # Norms do not mix tokens, so the class token alone will do where it is the output.
            x = self.norm(x[:, :1] if self.out_type == 'cls_token' else x)
        return x

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the blocks at ``out_indices``."""
        x, grid = self.stem(x)
        return tuple(self._output(y, grid) for y in self._outputs(x))

    def _output(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        if self.out_type == 'raw':
            return x
        if self.out_type == 'cls_token':
            return x[:, 0]
        return x[:, 1:].transpose(1, 2).unflatten(2, grid).contiguous()


def _check_blocks(blocks: Sequence[dict | None]) -> None:
    if not blocks:
        raise ValueError('backbone.blocks is empty: it must have an entry for each block')
    for i, block in enumerate(blocks):
        if block is None:
            continue
        if not isinstance(block, dict) or set(block) != {'num_heads', 'qkv_dims', 'mlp_dims'}:
            raise ValueError(
                f'backbone.blocks[{i}]={block!r} must be None or have num_heads, qkv_dims '
                'and mlp_dims'
            )
        if block['num_heads'] < 1 or block['qkv_dims'] % (3 * block['num_heads']):
            raise ValueError(
                f'backbone.blocks[{i}].qkv_dims={block["qkv_dims"]} must be a multiple of '
                f'3 * num_heads={3 * block["num_heads"]}: q, k and v have the same number of heads'
            )
