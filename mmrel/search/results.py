"""The results that a search writes to its work dir."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from mmrel.spaces import SearchSpace
from mmrel.utils.files import write_together
from mmrel.utils.json_lines import format_rows
from mmrel.visualization.search import pareto_front, plot_history, plot_pareto

from .retraining import retraining_config

Writers = dict[str, Callable[[BinaryIO], object]]


def best_first(rows: Sequence[Mapping]) -> list[Mapping]:
    """Rows sorted by score. For equal scores, the earlier draw comes first."""
    return sorted(rows, key=lambda row: (-row['score'], row['slot']))


def cost_names(rows: Sequence[Mapping]) -> list[str]:
    """Names of the costs in rows of :meth:`.study.SearchStudy.rows`."""
    return [k for k in rows[0] if k not in ('slot', 'generation', 'score', 'key', 'path')]


def results_table(rows: Sequence[Mapping]) -> str:
    """Rows as a Markdown table, without choices that are equal in all rows."""
    costs = cost_names(rows)
    choices = [n for n in rows[0]['path'] if len({str(row['path'][n]) for row in rows}) > 1]
    head = ['place', 'top-1', *costs, 'generation', 'path', *choices]
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    for place, row in enumerate(rows, 1):
        cells = [place, f'{row["score"]:.2f}', *(f'{row[c]:,}' for c in costs)]
        cells += [row['generation'], row['slot'], *(row['path'][n] for n in choices)]
        lines.append('| ' + ' | '.join(map(str, cells)) + ' |')
    return '\n'.join(lines) + '\n'


def write_results(
    folder: str,
    rows: Sequence[Mapping],
    space: SearchSpace,
    cost: str,
    top: int,
    retrain: Mapping | None,
) -> None:
    """Write the results. Existing files are replaced together, all or none.

    Without matplotlib the PNGs are not written.

    Args:
        folder (str): The work dir.
        rows (Sequence[Mapping]): The scored paths, at least one.
        space (SearchSpace): Their space.
        cost (str): The cost for the Pareto plot.
        top (int): Number of paths in the list of the best.
        retrain (Mapping, optional): ``base`` and ``imports`` of
            :func:`retraining_config` for ``retrain.py``. None: it is not written.
    """
    ranked = best_first(rows)
    best = dict(ranked[0], space=space.fingerprint())
    front = [rows[i] for i in pareto_front([r[cost] for r in rows], [r['score'] for r in rows])]
    texts = {
        'paths.jsonl': format_rows(rows),
        'best_path.json': json.dumps(best, indent=1) + '\n',
        'top.json': json.dumps(ranked[:top], indent=1) + '\n',
        'top.md': results_table(ranked[:top]),
        'pareto.json': json.dumps(front, indent=1) + '\n',
    }
    if retrain is not None:
        remark = f'Path {best["slot"]} of a search: {best["score"]:.2f} % with the supernet.'
        texts['retrain.py'] = retraining_config(space, best['path'], remark=remark, **retrain)
    texts |= _interactive(rows, cost)
    writers: Writers = {name: partial(_write, text) for name, text in texts.items()}
    if find_spec('matplotlib'):  # of the extra `visualization`
        writers['pareto.png'] = partial(plot_pareto, rows, cost)
        writers['history.png'] = partial(plot_history, rows)
    write_together(
        {str(Path(folder) / name): writer for name, writer in writers.items()}, shared=True
    )


def _write(text: str, file: BinaryIO) -> None:
    file.write(text.encode())


def _interactive(rows: Sequence[Mapping], cost: str) -> dict[str, str]:
    """Optuna's plots as HTML, and one copy of plotly.js for all of them."""
    import optuna
    from optuna.trial import create_trial
    from plotly.offline import get_plotlyjs

    study = optuna.create_study(directions=['maximize', 'minimize'])
    for row in rows:
        attributes = {k: v for k, v in row.items() if k != 'path'}
        attributes |= {name: str(option) for name, option in row['path'].items()}
        study.add_trial(create_trial(values=[row['score'], row[cost]], user_attrs=attributes))
    draw = optuna.visualization
    pareto = draw.plot_pareto_front(study, target_names=['top-1 accuracy, %', cost])
    history = draw.plot_optimization_history(
        study, target=lambda trial: trial.values[0], target_name='top-1 accuracy, %'
    )
    html = dict(full_html=True, include_plotlyjs='directory')
    return {
        'pareto.html': pareto.to_html(**html),
        'history.html': history.to_html(**html),
        'plotly.min.js': get_plotlyjs(),
    }
