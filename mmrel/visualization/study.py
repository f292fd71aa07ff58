"""Curves, means and spread of several variants, each with several seeds."""

import statistics
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any


def study_table(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> str:
    """The final values of each variant's curves as a Markdown table.

    Args:
        rows (Sequence[Mapping]): Rows with ``variant``, ``seed`` and ``curve``,
            a list of (step, value).
        variants (Sequence[str]): The variants, in order.

    Returns:
        str: One line per variant: the start, values by seed, mean, and the sample
        standard deviation if there are at least two seeds. Three decimals if no
        final value is above 1, else one.
    """
    # Fractions, such as mAP, need more decimals than percentages.
    known = [row['curve'][-1][1] for row in rows if row['variant'] in variants]
    digits = 3 if known and max(map(abs, known)) <= 1 else 1
    lines = ['| variant | start | by seed | mean | std |', '|---|---|---|---|---|']
    for name in variants:
        mine = sorted((r for r in rows if r['variant'] == name), key=lambda r: r['seed'])
        if not mine:
            continue
        last = [row['curve'][-1][1] for row in mine]
        start = statistics.mean(row['curve'][0][1] for row in mine)
        spread = f'{statistics.stdev(last):.{digits}f}' if len(last) > 1 else ''
        values = ', '.join(f'{value:.{digits}f}' for value in last)
        mean = statistics.mean(last)
        lines.append(f'| {name} | {start:.{digits}f} | {values} | {mean:.{digits}f} | {spread} |')
    return '\n'.join(lines)


def plot_study(
    rows: Sequence[Mapping[str, Any]], study: Mapping[str, Any], out: str | PathLike
) -> None:
    """Draw each variant's mean curve, with the range over its seeds.

    Args:
        rows (Sequence[Mapping]): See :func:`study_table`.
        study (Mapping): The study, with ``variants``, whose entries may name a
            ``panel``, and ``metric``. Optional: ``title``; ``ylabel``;
            ``xlabel``, such as 'iteration'; by default 'epoch';
            ``references``, a dict of horizontal lines; ``scalars``, names of
            training scalars that get their own panels; ``relative``, to use the
            fraction of the run as x axis if epochs differ in length.
        out (str | PathLike): The PNG to write.

    Raises:
        ValueError: If there are no rows to draw.
    """
    from matplotlib.figure import Figure

    variants = {n: v for n, v in study['variants'].items() if any(r['variant'] == n for r in rows)}
    if not variants:
        raise ValueError('the study has no finished runs to plot')
    labels = dict.fromkeys(variant.get('label', n) for n, variant in variants.items())
    colors = {label: f'C{i % 10}' for i, label in enumerate(labels)}
    panels = list(dict.fromkeys(variant.get('panel', '') for variant in variants.values()))
    scalars = [name for name in study.get('scalars', []) if any(_scalar(r, name) for r in rows)]
    number = len(panels) + len(scalars)
    figure = Figure(figsize=(5.2 * number, 4.8), layout='constrained')
    all_axes = figure.subplots(1, number, squeeze=False)[0]
    relative = bool(study.get('relative'))
    for axes, panel in zip(all_axes, panels, strict=False):
        axes.sharey(all_axes[0])
        for name in [n for n, v in variants.items() if v.get('panel', '') == panel]:
            curves = [row['curve'] for row in rows if row['variant'] == name]
            label = variants[name].get('label', name)
            _draw(axes, curves, label, colors[label], relative)
        for label, value in study.get('references', {}).items():
            axes.axhline(value, color='gray', linewidth=1, linestyle=':')
            axes.text(
                1, value, label, fontsize=7, color='gray', ha='right', va='bottom',
                transform=axes.get_yaxis_transform(),
            )  # fmt: skip
        axes.set_title(panel or (study.get('title', '') if number == 1 else 'evaluation'))
    for axes, scalar in zip(all_axes[len(panels) :], scalars, strict=True):
        for name, variant in variants.items():
            found = [_scalar(row, scalar) for row in rows if row['variant'] == name]
            mine = [curve for curve in found if curve]
            if mine and len(mine) == len(found):
                label = f'{variant.get("panel", "")} {variant.get("label", name)}'.strip()
                color = colors[variant.get('label', name)]
                style = '-' if variant.get('panel', '') == panels[0] else '--'
                _draw(axes, mine, label, color, relative, style)
        axes.set(title=scalar.replace('_', ' '))
    for axes in all_axes:
        axes.set_xlabel('fraction of the run' if relative else study.get('xlabel', 'epoch'))
        axes.xaxis.get_major_locator().set_params(integer=not relative)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8, ncols=2, loc='upper center', bbox_to_anchor=(0.5, -0.14))
    all_axes[0].set_ylabel(study.get('ylabel', study['metric']))
    if number > 1 and study.get('title'):
        figure.suptitle(study['title'])
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')


def _scalar(row: Mapping[str, Any], name: str) -> list | None:
    return row.get('scalars', {}).get(name)


def _draw(
    axes: Any, curves: list[list], label: str, color: str, relative: bool, style: str = '-'
) -> None:
    """Draw the mean and the range of one variant's curves."""
    steps = sorted(set.intersection(*({step for step, _ in curve} for curve in curves)))
    values = [[dict(curve)[step] for curve in curves] for step in steps]
    means = [statistics.mean(v) for v in values]
    digits = 1 if max(map(abs, means)) >= 10 else 3
    seeds = f'{len(curves)} seed' + 's' * (len(curves) > 1)
    label = f'{label}: {means[-1]:.{digits}f} ({seeds})'
    x = [step / steps[-1] for step in steps] if relative else steps
    axes.plot(
        x, means, color=color, linewidth=2, linestyle=style, marker='o', markersize=3, label=label
    )
    if len(curves) > 1:
        axes.fill_between(
            x, list(map(min, values)), list(map(max, values)), color=color, alpha=0.15
        )
