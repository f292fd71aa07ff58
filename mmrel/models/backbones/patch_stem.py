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

# The modes of resize_pos_embed for maps.
INTERPOLATE_MODES = ('bicubic', 'bilinear')


class PatchStem(nn.Module):
    """Patch embedding, class token and position embeddings for one patch size.

    Images whose sides are not multiples of the patch size are zero-padded on the
    right and at the bottom. Position embeddings for another image size are resized
    on loading. Their grid is assumed to be square or, if their number is not a
    square, to have this stem's aspect ratio.

    Args:
        img_size (int | Sequence[int]): Image size in pixels for the position
            embeddings: the side, or height and width.
        patch_size (int): Side of a patch in pixels.
        embed_dims (int): Embedding width D.
        in_channels (int): Number of image channels. Defaults to 3.
        interpolate_mode (str): How to resize position embeddings: 'bicubic' or
            'bilinear'. Defaults to 'bicubic'.

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
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]
            _resize_positions
        )

    def reset_tokens(self) -> None:
        """Initialize class token and positions from a truncated normal, std 0.02."""
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
        """Rows and columns of the grid with this number of positions; None if unknown."""
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
    """Resize the position embeddings in ``state`` before ``stem`` loads it.

    Raises:
        ValueError: If the grid of the positions in ``state`` is unknown.
    """
    key = f'{prefix}pos_embed'
    given = state.get(key)
    # A different width or layout belongs to another network: loading reports it.
    if not isinstance(given, Tensor) or given.ndim != 3 or len(given) != 1:
        return
    if given.shape[1] == stem.pos_embed.shape[1] or given.shape[2] != stem.pos_embed.shape[2]:
        return
    positions = given.shape[1] - 1
    source = stem.grid_of(positions) if positions > 0 else None
    if source is None:
        raise ValueError(
            f'{key} of the checkpoint has {positions} positions: neither a square grid nor one '
            f'with the aspect ratio of this backbone ({stem.grid[0]} x {stem.grid[1]}): build it '
            "with the checkpoint's img_size; it accepts images of any size"
        )
    print_log(
        f'{key}: position embeddings resized from {source[0]} x {source[1]} to {stem.grid[0]} x '
        f'{stem.grid[1]}',
        logger='current',
    )
    state[key] = resize_pos_embed(given, source, stem.grid, stem.interpolate_mode)


@contextmanager
def fresh_tokens(module: BaseModule, stems: Iterable[PatchStem]) -> Iterator[None]:
    """Wrap a module's first ``init_weights``: reset the tokens that it does not load.

    Many kinds of ``init_cfg`` can load pre-trained weights, so this checks whether
    the tokens were written.

    Args:
        module (BaseModule): The module to initialize.
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
    """Counters of in-place writes to the tokens."""
    return stem.cls_token._version, stem.pos_embed._version
