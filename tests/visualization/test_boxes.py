"""Boxes of labels and predictions, drawn without their images."""

import json
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from mmrel.visualization import plot_boxes
from tests.commands import call
from tests.visualization.pictures import has_color, picture, saved_figures

LABELS = dict(
    images=[dict(id=i, width=40, height=30) for i in (7, 8, 9)],
    categories=[dict(id=1, name='cell'), dict(id=5, name='plate')],
    annotations=[
        dict(image_id=7, category_id=1, bbox=[1, 2, 3, 4]),
        dict(image_id=9, category_id=5, bbox=[5, 6, 7, 8]),
    ],
)
FOUND = [
    dict(image_id=9, category_id=1, bbox=[0, 0, 9, 9], score=0.5),
    dict(image_id=9, category_id=5, bbox=[2, 2, 4, 4], score=0.29),
    dict(image_id=8, category_id=5, bbox=[3, 3, 5, 5], score=0.9),
]


def test_each_image_is_a_row_and_weak_boxes_are_left_out(tmp_path: Path) -> None:
    with saved_figures() as figures:
        plot_boxes(LABELS, dict(ours=FOUND), [0, 2], tmp_path / 'new' / 'boxes.png')
    axes = figures[0].axes
    assert [a.get_title() for a in axes] == ['labels', 'ours', '', '']
    drawn = [
        [(*p.get_xy(), p.get_width(), p.get_height())
         for p in a.patches if isinstance(p, Rectangle)]
        for a in axes
    ]  # fmt: skip
    assert drawn == [[(1, 2, 3, 4)], [], [(5, 6, 7, 8)], [(0, 0, 9, 9)]]
    first, second = axes[0].patches[0], axes[3].patches[0]
    assert first.get_edgecolor() == second.get_edgecolor() != axes[2].patches[0].get_edgecolor()


def test_the_command_draws_the_files(tmp_path: Path) -> None:
    for name, content in (('val', LABELS), ('ours', FOUND)):
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    labels, out = tmp_path / 'val.json', tmp_path / 'boxes.png'
    words = ['analysis/draw_boxes.py', labels, f'ours={tmp_path / "ours.json"}', '--out', out]
    assert f'wrote {out}' in call(*words, '--images', 2)
    assert has_color(picture(out), 'ff7f0e')  # the second class of the palette
    with pytest.raises(ValueError, match='image 3 must be from 0 to 2'):
        call(*words, '--images', 3)
