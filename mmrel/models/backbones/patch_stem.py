"""Patches, class token and position embeddings of a vision transformer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmcv.cnn.bricks.transformer import PatchEmbed
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

# What resize_pos_embed can do with maps.
INTERPOLATE_MODES = ('bicubic', 'bilinear')


class PatchStem(nn.Module):
    """Patches, a class token and position embeddings of one patch size.

    Images whose sides are not multiples of the patch size are padded with zeros
    at the right and at the bottom. Weights of another image size are resized
    when they are loaded: a state dict's position embeddings are taken as square
    or, where their number is not a square, as having this stem's aspect ratio.

    Args:
        img_size (int | Sequence[int]): Side, or height and width, of the images
            that the position embedding is for.
        patch_size (int): Side of a patch.
        embed_dims (int): Width D.
        in_channels (int): Channels of the image. Defaults to 3.
        interpolate_mode (str): 'bicubic' or 'bilinear', of the position
            embeddings. Defaults to 'bicubic'.

    Raises:
        ValueError: If a size or the mode is not valid.
    """

    def __init__(
        self,
        img_size: int | Sequence[int],
        patch_size: int,
        embed_dims: int,
        in_channels: int = 3,
        interpolate_mode: str = 'bicubic',
    ) -> None:
        super().__init__()
        if interpolate_mode not in INTERPOLATE_MODES:
            raise ValueError(
                f'backbone.interpolate_mode={interpolate_mode!r} must be one of {INTERPOLATE_MODES}'
            )
        self.interpolate_mode = interpolate_mode
        self.patch_embed = PatchEmbed(
            in_channels=in_channels,
            embed_dims=embed_dims,
            kernel_size=patch_size,
            stride=patch_size,
            input_size=_height_and_width(img_size),
        )
        self.grid = self.patch_embed.init_out_size
        tokens = self.grid[0] * self.grid[1] + 1
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, embed_dims))
        self.register_load_state_dict_pre_hook(_resize_positions)

    def reset_tokens(self) -> None:
        """Truncated normal values, std 0.02, for class token and positions."""
        trunc_normal_(self.cls_token, std=0.02)
        trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Images (B, C, H, W) to tokens (B, 1 + h * w, D) and (h, w)."""
        x, grid = self.patch_embed(x)
        positions = resize_pos_embed(self.pos_embed, self.grid, grid, self.interpolate_mode)
        # Not len(x): torch.export would fix the batch size.
        token = self.cls_token.expand(x.shape[0], -1, -1)
        return torch.cat([token, x], dim=1) + positions, grid

    def grid_of(self, positions: int) -> tuple[int, int] | None:
        """Rows and columns of another network's positions, from their number; None if unknown."""
        side = math.isqrt(positions)
        if side * side == positions:
            return side, side
        height, width = self.grid
        rows = math.isqrt(positions * height // width)
        columns = positions // max(rows, 1)
        fits = rows * columns == positions and rows * width == columns * height
        return (rows, columns) if fits else None


def _height_and_width(img_size: int | Sequence[int]) -> tuple[int, int]:
    size = (img_size, img_size) if isinstance(img_size, int) else img_size
    if not (
        isinstance(size, Sequence)
        and len(size) == 2
        and all(type(side) is int and side > 0 for side in size)
    ):
        raise ValueError(
            f'backbone.img_size={img_size!r} must be a positive integer, or two: height and width'
        )
    return size[0], size[1]


def _resize_positions(stem: PatchStem, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before ``stem`` loads ``state``: give its position embeddings the stem's size.

    Raises:
        ValueError: If the rows and columns of the state's positions are not known.
    """
    key = f'{prefix}pos_embed'
    given = state.get(key)
    # Another width or layout is another network: loading itself reports it.
    if not isinstance(given, Tensor) or given.ndim != 3 or len(given) != 1:
        return
    if given.shape[1] == stem.pos_embed.shape[1] or given.shape[2] != stem.pos_embed.shape[2]:
        return
    positions = given.shape[1] - 1
    source = stem.grid_of(positions) if positions > 0 else None
    if source is None:
        raise ValueError(
            f'{key} of the checkpoint has {positions} positions, neither a square nor of the '
            f'aspect ratio of this backbone ({stem.grid[0]} x {stem.grid[1]}): build the backbone '
            "with the checkpoint's img_size, it takes images of any size"
        )
    print_log(
        f'{key}: position embeddings resized from {source[0]} x {source[1]} to {stem.grid[0]} x '
        f'{stem.grid[1]}',
        logger='current',
    )
    state[key] = resize_pos_embed(given, source, stem.grid, stem.interpolate_mode)


@contextmanager
def fresh_tokens(module: BaseModule, stems: Iterable[PatchStem]) -> Iterator[None]:
    """Around a module's first ``init_weights``: reset the tokens that it did not load.

    Pre-trained weights come by several types and places of ``init_cfg``, so what
    counts is whether the tokens were written.

    Args:
        module (BaseModule): The module that is initialized.
        stems (Iterable[PatchStem]): Its stems.
    """
    if module.is_init:
        yield
        return
    before = [(stem, _versions(stem)) for stem in stems]
    yield
    for stem, versions in before:
        if _versions(stem) == versions:
            stem.reset_tokens()


def _versions(stem: PatchStem) -> tuple[int, int]:
    """How often the tokens were written."""
    return stem.cls_token._version, stem.pos_embed._version
