"""Plots of a search: the front, the history, and two scores of one path."""

from pathlib import Path

import numpy as np
import pytest

from mmrel.visualization import pareto_front, plot_history, plot_pareto, plot_rank_correlation
from tests.visualization.pictures import saved_figures

ROWS = [
    dict(slot=0, generation=0, score=50.0, flops=30),
    dict(slot=1, generation=0, score=40.0, flops=10),
    dict(slot=2, generation=1, score=45.0, flops=20),
    dict(slot=4, generation=1, score=65.0, flops=30),
]


def test_the_front_is_what_no_path_beats() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        costs, scores = draw.integers(0, 8, 12).tolist(), draw.integers(0, 8, 12).tolist()
        beaten = [
            any(
                (c <= costs[i] and s >= scores[i] and (c, s) != (costs[i], scores[i]))
                for c, s in zip(costs, scores, strict=True)
            )
            for i in range(12)
        ]
        unique = {(costs[i], scores[i]) for i in range(12) if not beaten[i]}
        front = pareto_front(costs, scores)
        assert [(costs[i], scores[i]) for i in front] == sorted(unique)


def test_the_front_goes_through_what_no_path_beats(tmp_path: Path) -> None:
    with saved_figures() as figures:
        plot_pareto(ROWS, 'flops', tmp_path / 'new' / 'pareto.png')
    axes = figures[0].axes[0]
    (front,) = axes.lines
    assert front.get_xydata().tolist() == [[10, 40], [20, 45], [30, 65]]
    (points,) = axes.collections
    assert points.get_offsets().tolist() == [[30, 50], [10, 40], [20, 45], [30, 65]]
    assert points.get_array().tolist() == [0, 0, 1, 1]
    assert (axes.get_title(), axes.get_xlabel()) == ('4 scored paths', 'flops')
    assert (tmp_path / 'new' / 'pareto.png').exists()


def test_the_history_shows_the_best_so_far_and_the_means(tmp_path: Path) -> None:
    with saved_figures() as figures:
        plot_history(ROWS, tmp_path / 'history.png')
    axes = figures[0].axes[0]
    means, best = (line.get_xydata().tolist() for line in axes.lines)
    # Slots count from 1; slot 3 was not scored.
    assert means == [[1.5, 45], [4, 55]]
    assert best == [[1, 50], [2, 50], [3, 50], [5, 65]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ['path', 'generation mean', 'best so far: 65.00']


def test_two_scores_are_drawn_pair_by_pair(tmp_path: Path) -> None:
    with saved_figures() as figures:
        plot_rank_correlation([3, 1], [7, 9], tmp_path / 'r.png', 'one', 'other', 'tau 1')
    (axes,) = figures[0].axes
    assert axes.collections[0].get_offsets().tolist() == [[3, 7], [1, 9]]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ('one', 'other', 'tau 1')


def test_nothing_is_drawn_of_no_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no path has been scored yet'):
        plot_pareto([], 'flops', tmp_path / 'x.png')
    with pytest.raises(ValueError, match='no path has been scored yet'):
        plot_history([], tmp_path / 'x.png')
