"""Slices from both sides, by hand."""

import pytest
import torch

from mmrel.models.supernets.sides import SIDES, cut, window


def test_windows_of_each_side() -> None:
    channels = list('abcde')
    for side, expected in dict(left='a abc abcde', right='e cde abcde').items():
        assert [''.join(channels[window(w, 5, side)]) for w in (1, 3, 5)] == expected.split()
    # Together the sides of BCNet use each channel equally often, over all widths.
    for algorithm, counts in (('bcnet', [6] * 5), ('autoslim', [5, 4, 3, 2, 1])):
        used = [0] * 5
        for width in range(1, 6):
            for side in SIDES[algorithm]:
                for i in range(5)[window(width, 5, side)]:
                    used[i] += 1
        assert used == counts


def test_a_cut_is_a_view_of_the_leading_axes() -> None:
    x = torch.arange(24).reshape(4, 3, 2)
    assert torch.equal(cut(x, (2, None), 'left'), x[:2])
    assert torch.equal(cut(x, (None, 1), 'left'), x[:, :1])
    right = cut(x, (3, 2), 'right')
    assert torch.equal(right, x[1:, 1:])
    right.zero_()
    assert x.sum() == 0 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 12 + 13 + 18 + 19


@pytest.mark.parametrize(
    ('width', 'side', 'message'),
    [
        (0, 'left', 'a slice of 0 channels does not fit a layer of 5'),
        (6, 'right', 'a slice of 6 channels does not fit a layer of 5'),
        (2, 'both', "side='both' must be 'left' or 'right'"),
    ],
)
def test_slices_that_do_not_fit_are_refused(width: int, side: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut(torch.zeros(5, 2), (width,), side)
