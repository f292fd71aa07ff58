#!/usr/bin/env python
"""Draw docs/figures/architecture.png: how an image becomes a loss."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

BOXES = {  # name: (x, y, text, color)
    'files': (0.0, 2.0, 'images\nImageFolder, CIFAR10,\nDigits, ...', 'data'),
    'sampler': (0.0, 0.2, 'EpochSampler\nindex + seed + epoch', 'data'),
    'views': (2.6, 2.0, 'MultiView\nContrastiveView x V\nWeakView', 'data'),
    'pre': (5.2, 2.0, 'data preprocessor\nnormalize, to device', 'data'),
    'student': (7.8, 3.3, 'student\nbackbone + neck', 'model'),
    'teacher': (7.8, 0.7, 'MomentumTeacher\nbackbone + neck', 'model'),
    'memory': (10.4, 2.0, 'FeatureQueue\nK past embeddings', 'memory'),
    'head': (13.6, 2.0, 'RelationHead\nowns the loss', 'head'),
}
ARROWS = [  # from, to, label
    ('sampler', 'files', ''),
    ('files', 'views', ''),
    ('views', 'pre', ''),
    ('pre', 'student', 'strong'),
    ('pre', 'teacher', 'weak'),
    ('student', 'teacher', 'EMA'),
    ('student', 'memory', 'z (V, B, D)'),
    ('teacher', 'memory', 'z (B, D)'),
    ('memory', 'head', 'similarities\n(V, B, K), (B, K)'),
]
COLOURS = dict(data='#dbe9f6', model='#e2f0d9', memory='#fff2cc', head='#f8d7da')
WIDTH, HEIGHT = 2.0, 1.0


def main() -> None:
    figure = Figure(figsize=(13, 4.2), layout='constrained')
    axes = figure.subplots()
    for x, y, text, kind in BOXES.values():
        axes.add_patch(
            FancyBboxPatch(
                (x, y), WIDTH, HEIGHT, boxstyle='round,pad=0.08', fc=COLOURS[kind], ec='#555555'
            )
        )
        axes.text(x + WIDTH / 2, y + HEIGHT / 2, text, ha='center', va='center', fontsize=10)
    for source, target, label in ARROWS:
        (x0, y0, *_), (x1, y1, *_) = BOXES[source], BOXES[target]
        if x0 == x1:  # straight up or down
            x = x0 + WIDTH / 2
            start = (x, y0 - 0.1) if y1 < y0 else (x, y0 + HEIGHT + 0.1)
            end = (x, y1 + HEIGHT + 0.12) if y1 < y0 else (x, y1 - 0.12)
        else:
            start, end = (x0 + WIDTH + 0.1, y0 + HEIGHT / 2), (x1 - 0.12, y1 + HEIGHT / 2)
        axes.annotate('', end, start, arrowprops=dict(arrowstyle='-|>', color='#333333'))
        # A label between boxes side by side stands above the arrow, not on it.
        lift = 0.75 if y0 == y1 else 0
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + lift)
        axes.text(
            *middle, label, ha='center', va='center', fontsize=9,
            bbox=dict(fc='white', ec='none', pad=1),
        )  # fmt: skip
    axes.set(xlim=(-0.3, 15.9), ylim=(-0.1, 4.6))
    axes.set_axis_off()
    figure.savefig(Path(__file__).with_suffix('.png'), dpi=110)


if __name__ == '__main__':
    main()
