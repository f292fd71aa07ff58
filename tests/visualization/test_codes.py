"""The plot of codes: rows by cost, and distances that stay."""

from pathlib import Path

import numpy as np
import pytest

from mmrel.visualization import plot_codes
from tests.visualization.pictures import saved_figures


def _codes(paths: int, dictionaries: int) -> np.ndarray:
    codes = np.random.default_rng(0).random((paths, dictionaries))
    return codes / codes.sum(1, keepdims=True)


def test_rows_are_in_the_order_of_their_costs(tmp_path: Path) -> None:
    codes = _codes(4, 3)
    with saved_figures() as figures:
        plot_codes(codes, np.array([30, 10, 30, 20]), tmp_path / 'new' / 'codes.png', 'params')
    heat = figures[0].axes[0]
    np.testing.assert_array_equal(heat.images[0].get_array(), codes[[1, 3, 0, 2]])
    assert heat.get_ylabel() == 'path, by params'
    assert [label.get_text() for label in heat.get_xticklabels()] == ['1', '2', '3']
    assert (tmp_path / 'new' / 'codes.png').exists()


def test_the_plane_keeps_all_distances_of_three_shares(tmp_path: Path) -> None:
    # Shares sum to 1, so codes of three dictionaries lie in a plane: nothing is lost.
    codes, costs = _codes(7, 3), np.arange(7)
    with saved_figures() as figures:
        plot_codes(codes, costs, tmp_path / 'codes.png')
    plane = figures[0].axes[1]
    places = plane.collections[0].get_offsets()
    np.testing.assert_allclose(
        np.linalg.norm(places[:, None] - places, axis=-1),
        np.linalg.norm(codes[:, None] - codes, axis=-1),
        atol=1e-12,
    )
    np.testing.assert_array_equal(plane.collections[0].get_array(), costs)


def test_two_shares_and_equal_codes_have_one_direction_or_none(tmp_path: Path) -> None:
    labels = []
    for codes in (_codes(5, 2), np.full((5, 2), 0.5)):
        with saved_figures() as figures:
            plot_codes(codes, np.arange(5), tmp_path / 'codes.png')
        plane = figures[0].axes[1]
        labels.append((plane.get_xlabel(), plane.get_ylabel()))
    assert labels == [
        ('first direction (100% of the spread)', 'second direction (0%)'),
        ('first direction (0% of the spread)', 'second direction (0%)'),
    ]


@pytest.mark.parametrize('shape', [(1, 3), (3, 1), (6,)])
def test_one_path_or_one_dictionary_cannot_be_plotted(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r'codes of shape .* at least 2 paths and K = 2'):
        plot_codes(np.ones(shape), np.ones(shape[0]), tmp_path / 'x.png')
