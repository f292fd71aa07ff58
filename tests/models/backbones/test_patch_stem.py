"""Patches and position embeddings against plain arithmetic and OpenCV's interpolation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmrel.models.backbones.patch_stem import PatchStem
from tests.models.backbones.positions import resized_positions


def _random_stem(size: tuple[int, int]) -> PatchStem:
    stem = PatchStem(size, 4, 6)
    for parameter in stem.parameters():
        nn.init.normal_(parameter)
    return stem


def test_tokens_are_patches_of_the_padded_image() -> None:
    """Row by row after the class token, padded with zeros on the right and at the bottom."""
    stem, image = _random_stem((8, 12)), torch.randn(2, 3, 7, 10)
    tokens, grid = stem(image)
    assert grid == (2, 3)
    padded = F.pad(image, (0, 2, 0, 1))
    projection = stem.patch_embed.projection
    assert tokens.shape == (2, 7, 6)
    for b in range(2):
        torch.testing.assert_close(tokens[b, 0], stem.cls_token[0, 0] + stem.pos_embed[0, 0])
        for i in range(6):
            row, column = 4 * (i // 3), 4 * (i % 3)
            patch = padded[b, :, row : row + 4, column : column + 4]
            expected = (projection.weight * patch).sum((1, 2, 3)) + projection.bias
            torch.testing.assert_close(
                tokens[b, i + 1], expected + stem.pos_embed[0, i + 1], rtol=1e-4, atol=1e-5
            )


def test_positions_are_interpolated_for_an_image_of_another_size() -> None:
    stem, image = _random_stem((16, 16)), torch.zeros(1, 3, 24, 40)
    nn.init.zeros_(stem.patch_embed.projection.bias)
    nn.init.zeros_(stem.cls_token)
    tokens, grid = stem(image)
    assert grid == (6, 10)
    expected = resized_positions(stem.pos_embed.detach(), (4, 4), (6, 10))
    torch.testing.assert_close(tokens.detach(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ('size', 'tokens', 'grid'),
    [
        ((16, 16), 26, (5, 5)),
        ((16, 32), 33, (4, 8)),  # not a square: the stem's aspect ratio
        ((32, 16), 9, (4, 2)),
        ((16, 32), 17, (4, 4)),  # a square takes precedence
    ],
)
def test_the_grid_of_other_weights(
    size: tuple[int, int], tokens: int, grid: tuple[int, int]
) -> None:
    stem, positions = PatchStem(size, 4, 6), torch.randn(1, tokens, 6)
    stem.load_state_dict(dict(stem.state_dict(), pos_embed=positions))
    expected = resized_positions(positions, grid, (size[0] // 4, size[1] // 4))
    torch.testing.assert_close(stem.pos_embed.detach(), expected, rtol=0, atol=1e-5)


def test_a_grid_that_is_not_known_is_refused() -> None:
    stem = PatchStem(16, 4, 6)
    state = dict(stem.state_dict(), pos_embed=torch.randn(1, 33, 6))
    with pytest.raises(
        ValueError, match=r'pos_embed of the checkpoint has 32 positions: neither a'
    ):
        stem.load_state_dict(state)
