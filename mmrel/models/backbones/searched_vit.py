"""Stand-alone vision transformers whose blocks differ in heads and widths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmcv.cnn.bricks.transformer import PatchEmbed
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from mmrel.models.utils.attention import attend
from mmrel.registry import MODELS

BLOCK_EPS, FINAL_EPS = 1e-6, 1e-5

OUT_TYPES = ('cls_token', 'featmap', 'raw')


class PatchStem(nn.Module):
    """Patches, a class token and position embeddings of one patch size.

    Args:
        img_size (int): Side of the images that the position embedding is for.
        patch_size (int): Side of a patch.
        embed_dims (int): Width D.
        in_channels (int): Channels of the image. Defaults to 3.
    """

    def __init__(
        self, img_size: int, patch_size: int, embed_dims: int, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(
            in_channels=in_channels,
            embed_dims=embed_dims,
            kernel_size=patch_size,
            stride=patch_size,
            input_size=img_size,
        )
        self.grid = self.patch_embed.init_out_size
        tokens = self.grid[0] * self.grid[1] + 1
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, embed_dims))

    def reset_tokens(self) -> None:
        """Truncated normal values, std 0.02, for class token and positions."""
        trunc_normal_(self.cls_token, std=0.02)
        trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor, mode: str = 'bicubic') -> tuple[Tensor, tuple[int, int]]:
        """Images (B, C, H, W) to tokens (B, 1 + h * w, D) and (h, w)."""
        x, grid = self.patch_embed(x)
        positions = resize_pos_embed(self.pos_embed, self.grid, grid, mode)
        return torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + positions, grid


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
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=BLOCK_EPS)
        self.attn = _Attention(embed_dims, num_heads, qkv_dims, scale)
        self.norm2 = nn.LayerNorm(embed_dims, eps=BLOCK_EPS)
        self.mlp = MLP(embed_dims, mlp_dims)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


@MODELS.register_module()
class SearchedViT(BaseBackbone):
    """A vision transformer with its own heads and widths in every block.

    Source: ViTAS (arXiv:2106.13700). Outputs and arguments are those of
    mmpretrain's ``VisionTransformer`` where they are the same thing.

    Args:
        embed_dims (int): Width D of all residual lines.
        blocks (Sequence[dict | None]): For every block ``num_heads``,
            ``qkv_dims`` (q, k and v together) and ``mlp_dims``; None for an
            identity block, which keeps its place in ``out_indices``, in the
            DropPath rates and in the keys.
        img_size (int): Side of the usual images; images of other sizes get
            interpolated position embeddings. Defaults to 224.
        patch_size (int): Defaults to 16.
        in_channels (int): Defaults to 3.
        attn_scale (float, optional): Factor of q k^T. Defaults to None:
            ``(embed_dims // num_heads) ** -0.5``, as the released weights expect.
        drop_path_rate (float): Of the last block; from 0 in the first block it
            rises linearly. Defaults to 0.0.
        out_indices (int | Sequence[int]): Blocks whose output is given. Defaults
            to -1, the last.
        out_type (str): 'cls_token', (B, D); 'featmap', (B, D, h, w); 'raw', all
            tokens. Defaults to 'cls_token'.
        final_norm (bool): Normalise the last block's output. Defaults to True.
        frozen_stages (int): The stem and so many blocks get no gradient and stay
            in eval mode; -1: nothing is frozen. Defaults to -1.
        interpolate_mode (str): Of the position embeddings. Defaults to 'bicubic'.
        init_cfg (dict | list, optional): Defaults to None: truncated normal
            weights, std 0.02.

    Shape: (B, 3, H, W) to a tuple of one output for each of ``out_indices``.

    Raises:
        ValueError: If heads, widths, indices or the output's type do not fit.
    """

    def __init__(
        self,
        embed_dims: int,
        blocks: Sequence[dict | None],
        img_size: int = 224,
        patch_size: int = 16,
        in_channels: int = 3,
        attn_scale: float | None = None,
        drop_path_rate: float = 0.0,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'cls_token',
        final_norm: bool = True,
        frozen_stages: int = -1,
        interpolate_mode: str = 'bicubic',
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or [
                dict(type='TruncNormal', layer='Linear', std=0.02),
                dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
            ]
        )
        depth = len(blocks)
        indices = [out_indices] if isinstance(out_indices, int) else list(out_indices)
        self._check(blocks, indices, out_type, frozen_stages)
        heads = [block['num_heads'] for block in blocks if block is not None]
        if attn_scale is None and heads and embed_dims < max(heads):
            raise ValueError(
                f'backbone.embed_dims={embed_dims} is less than num_heads={max(heads)} of a block: '
                'the attention scale is by channels a head; widen it, or set backbone.attn_scale'
            )
        self.out_indices = sorted(i % depth for i in indices)
        self.img_size = img_size
        self.embed_dims = embed_dims
        self.out_type = out_type
        self.frozen_stages = frozen_stages
        self.interpolate_mode = interpolate_mode
        self.stem = PatchStem(img_size, patch_size, embed_dims, in_channels)
        rates = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(
            nn.Identity()
            if block is None
            else _Block(
                embed_dims,
                scale=(embed_dims // block['num_heads']) ** -0.5
                if attn_scale is None
                else attn_scale,
                drop_path=rate,
                **block,
            )
            for block, rate in zip(blocks, rates, strict=True)
        )
        self.norm = nn.LayerNorm(embed_dims, eps=FINAL_EPS) if final_norm else None
        self._freeze()

    @staticmethod
    def _check(
        blocks: Sequence[dict | None], indices: list[int], out_type: str, frozen_stages: int
    ) -> None:
        for i, block in enumerate(blocks):
            if block is None:
                continue
            if set(block) != {'num_heads', 'qkv_dims', 'mlp_dims'}:
                raise ValueError(
                    f'backbone.blocks[{i}]={dict(block)} must be None or have num_heads, qkv_dims '
                    'and mlp_dims'
                )
            if block['num_heads'] < 1 or block['qkv_dims'] % (3 * block['num_heads']):
                raise ValueError(
                    f'backbone.blocks[{i}].qkv_dims={block["qkv_dims"]} must be a multiple of '
                    f'3 * num_heads={3 * block["num_heads"]}: q, k and v have the same heads'
                )
        depth = len(blocks)
        if not depth or any(not -depth <= i < depth for i in indices):
            raise ValueError(f'backbone.out_indices={indices} must be places of {depth} blocks')
        if out_type not in OUT_TYPES:
            raise ValueError(f'backbone.out_type={out_type!r} is none of {OUT_TYPES}')
        if not -1 <= frozen_stages <= depth:
            raise ValueError(
                f'backbone.frozen_stages={frozen_stages} must be from -1 to the {depth} blocks'
            )

    def init_weights(self) -> None:
        """Initialise layers, class token and position embedding."""
        super().init_weights()
        if not (isinstance(self.init_cfg, dict) and self.init_cfg['type'] == 'Pretrained'):
            self.stem.reset_tokens()

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for module in (self.stem, *self.blocks[: self.frozen_stages]):
            module.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> 'SearchedViT':
        """Set the mode; frozen parts stay in eval mode."""
        super().train(mode)
        self._freeze()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the blocks at ``out_indices``."""
        x, grid = self.stem(x, self.interpolate_mode)
        outputs = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == len(self.blocks) - 1 and self.norm is not None:
                x = self.norm(x)
            if i in self.out_indices:
                outputs.append(self._output(x, grid))
        return tuple(outputs)

    def _output(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        if self.out_type == 'raw':
            return x
        if self.out_type == 'cls_token':
            return x[:, 0]
        return x[:, 1:].transpose(1, 2).unflatten(2, grid).contiguous()
