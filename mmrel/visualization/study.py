"""Several variants with several seeds each: curves, means and spread."""

import statistics
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any


def study_table(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    """The last value of each variant's curves as a Markdown table.

    Args:
        rows (Sequence[Mapping]): Each has ``variant``, ``seed`` and ``curve``,
            a list of (step, value).
        variants (Sequence[str]): Their order.

    Returns:
        str: One line a variant: values by seed, mean, and sample standard
        deviation where there are two seeds or more.
    """
    lines = ['| variant | start | by seed | mean | std |', '|---|---|---|---|---|']
    for name in variants:
        mine = sorted((r for r in rows if r['variant'] == name), key=lambda r: r['seed'])
        if not mine:
            continue
        last = [row['curve'][-1][1] for row in mine]
        start = statistics.mean(row['curve'][0][1] for row in mine)
        spread = f'{statistics.stdev(last):.1f}' if len(last) > 1 else ''
        values = ', '.join(f'{value:.1f}' for value in last)
        mean = statistics.mean(last)
        lines.append(f'| {name} | {start:.1f} | {values} | {mean:.1f} | {spread} |')
    return '\n'.join(lines)


def plot_study(
    rows: Sequence[Mapping[str, Any]], study: Mapping[str, Any], out: str | PathLike
) -> None:
    """Draw each variant's mean curve, with the span of its seeds.

    Args:
        rows (Sequence[Mapping]): As :func:`study_table`.
        study (Mapping): ``variants``, whose entries may name a ``panel``, and
            ``metric``; optionally ``title``, ``ylabel`` and ``references``, a
            dict of horizontal lines.
        out (str | PathLike): The PNG to write.

    Raises:
        ValueError: If there is no row to draw.
    """
    from matplotlib.figure import Figure

    variants = {n: v for n, v in study['variants'].items() if any(r['variant'] == n for r in rows)}
    if not variants:
        raise ValueError('the study has no finished run to draw')
    labels = dict.fromkeys(variant.get('label', n) for n, variant in variants.items())
    colours = {label: f'C{i % 10}' for i, label in enumerate(labels)}
    panels = list(dict.fromkeys(variant.get('panel', '') for variant in variants.values()))
    figure = Figure(figsize=(5.2 * len(panels), 4.8), layout='constrained')
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        names = [n for n, v in variants.items() if v.get('panel', '') == panel]
        for name in names:
            label = variants[name].get('label', name)
            _draw(axes, [r for r in rows if r['variant'] == name], label, colours[label])
        for label, value in study.get('references', {}).items():
            axes.axhline(value, color='grey', linewidth=1, linestyle=':')
            axes.text(
                1, value, label, fontsize=7, color='grey', ha='right', va='bottom',
                transform=axes.get_yaxis_transform(),
            )  # fmt: skip
        axes.set(title=panel or study.get('title', ''), xlabel='epoch')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8, ncols=2, loc='upper center', bbox_to_anchor=(0.5, -0.14))
    all_axes[0].set_ylabel(study.get('ylabel', study['metric']))
    if len(panels) > 1 and study.get('title'):
        figure.suptitle(study['title'])
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')


def _draw(axes: Any, rows: list, label: str, colour: str) -> None:
    steps = sorted(set.intersection(*(({s for s, _ in row['curve']}) for row in rows)))
    values = [[dict(row['curve'])[step] for row in rows] for step in steps]
    means = [statistics.mean(v) for v in values]
    seeds = f'{len(rows)} seed' + 's' * (len(rows) > 1)
    label = f'{label}: {means[-1]:.1f} ({seeds})'
    axes.plot(steps, means, color=colour, linewidth=2, marker='o', markersize=3, label=label)
    if len(rows) > 1:
        axes.fill_between(
            steps, list(map(min, values)), list(map(max, values)), color=colour, alpha=0.15
        )
