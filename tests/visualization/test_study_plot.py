"""Means and ranges of a study's variants, as a table and as curves."""

from pathlib import Path

import pytest

from mmrel.visualization import plot_study, study_table
from tests.visualization.pictures import saved_figures

# Seed 1 has a step that seed 0 lacks, and is written first.
ROWS = [
    dict(
        variant='a', seed=1, curve=[[0, 12.0], [1, 18.0], [2, 30.0]], scalars=dict(loss=[[2, 1.0]])
    ),
    dict(variant='a', seed=0, curve=[[0, 10.0], [2, 20.0]], scalars=dict(loss=[[2, 3.0]])),
    dict(variant='b', seed=0, curve=[[0, 0.25], [4, 0.5]]),
]
STUDY = dict(
    metric='top1', variants=dict(a=dict(label='A'), b={}, c={}), references=dict(paper=25.0)
)


def test_the_table_by_hand() -> None:
    assert study_table(ROWS, ['b', 'a', 'c']).splitlines()[2:] == [
        '| b | 0.2 | 0.5 | 0.5 |  |',
        '| a | 11.0 | 20.0, 30.0 | 25.0 | 7.1 |',
    ]


def test_a_curve_is_the_mean_over_steps_that_all_seeds_have(tmp_path: Path) -> None:
    with saved_figures() as figures:
        plot_study(ROWS, STUDY, tmp_path / 'new' / 'study.png')
    (axes,) = figures[0].axes
    first, second, reference = axes.lines
    assert first.get_xydata().tolist() == [[0, 11], [2, 25]]
    assert second.get_xydata().tolist() == [[0, 0.25], [4, 0.5]]
    assert set(reference.get_ydata()) == {25}
    (shade,) = axes.collections  # one seed has no range
    assert shade.get_paths()[0].get_extents().get_points().tolist() == [[0, 10], [2, 30]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ['A: 25.0 (2 seeds)', 'b: 0.500 (1 seed)']
    assert (axes.get_ylabel(), axes.get_xlabel()) == ('top1', 'epoch')
    assert (tmp_path / 'new' / 'study.png').exists()


def test_panels_scalars_and_fractions_of_a_run(tmp_path: Path) -> None:
    variants = dict(a=dict(panel='left'), b=dict(panel='right'))
    study = dict(STUDY, variants=variants, scalars=['loss', 'none'], relative=True)
    with saved_figures() as figures:
        plot_study(ROWS, study, tmp_path / 'study.png')
    left, right, loss = figures[0].axes
    assert [axes.get_title() for axes in (left, right, loss)] == ['left', 'right', 'loss']
    assert left.lines[0].get_xydata().tolist() == [[0, 11], [1, 25]]
    assert right.lines[0].get_xydata().tolist() == [[0, 0.25], [1, 0.5]]
    # Only variant a has the scalar.
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 2]]]
    assert left.get_xlabel() == 'fraction of the run'


def test_a_study_without_a_finished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='the study has no finished runs to plot'):
        plot_study([], STUDY, tmp_path / 'x.png')


def test_fractions_have_three_decimals() -> None:
    rows = [dict(variant='b', seed=s, curve=[[0, 0.1], [4, v]]) for s, v in enumerate((0.25, 0.5))]
    assert study_table(rows, ['b']).splitlines()[2:] == [
        '| b | 0.100 | 0.250, 0.500 | 0.375 | 0.177 |'
    ]
