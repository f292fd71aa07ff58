"""The plot of supernets' scores against those of networks trained alone."""

from pathlib import Path

import pytest

from mmrel.search.estimates import Estimate
from mmrel.visualization import plot_ranking
from tests.visualization.pictures import saved_figures

ALONE = [60.0, 70.0, 80.0]


def test_each_kind_is_a_panel_and_each_seed_a_color(tmp_path: Path) -> None:
    panels = {
        'one-shot': [
            dict(seed=0, scores=[1, 3, 2], tau=Estimate(0.25, 0.1, 0.5, 3)),
            dict(seed=5, scores=[4, 5, 6], tau=Estimate(1.0, 0.9, 1.0, 3)),
        ],
        'not yet trained': [],
        'K-shot': [dict(seed=1, scores=[7, 8, 9], tau=Estimate(-0.5, -0.75, 0.0, 3))],
    }
    with saved_figures() as figures:
        plot_ranking(ALONE, panels, tmp_path / 'new' / 'ranking.png')
    first, second = figures[0].axes
    assert [axes.get_title() for axes in (first, second)] == [
        'one-shot', 'K-shot',
    ]  # fmt: skip
    drawn = [points.get_offsets().tolist() for points in first.collections]
    assert drawn == [[[60, 1], [70, 3], [80, 2]], [[60, 4], [70, 5], [80, 6]]]
    labels = [text.get_text() for text in first.get_legend().get_texts()]
    assert labels == ['seed 0: tau 0.25 [0.10, 0.50]', 'seed 5: tau 1.00 [0.90, 1.00]']
    assert first.get_ylim() == second.get_ylim(), 'panels must be comparable'
    assert (tmp_path / 'new' / 'ranking.png').exists()


def test_without_a_supernet_nothing_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no supernet has been scored yet: nothing to plot'):
        plot_ranking(ALONE, {'one-shot': []}, tmp_path / 'x.png')
    assert not list(tmp_path.iterdir())
