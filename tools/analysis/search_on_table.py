#!/usr/bin/env python
"""Compare searches on a table of accuracies, without a supernet and without training.

Random search, the most costly networks, NSGA-II (the one of tools/search.py), regularized evolution
and Optuna's TPE each evaluate the same number of different networks within the budget. The curves
are the true accuracy of the network with the best score so far. With --scores, the searches see a
supernet's scores (scores.jsonl of rank_against_table.py) instead of the truth.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from mmengine.registry import init_default_scope
from rich.progress import track

from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.estimates import bootstrap
from mmrel.search.table_ranking import read_scores
from mmrel.search.table_search import TableSearch
from mmrel.search.truth_table import read_truth_table
from mmrel.utils.command_line import run_command
from mmrel.utils.files import write_atomically
from mmrel.utils.json_lines import format_rows
from mmrel.visualization import plot_study


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--table', required=True, help='CSV file (see docs/ranking.md)')
    parser.add_argument('--accuracy', help="the truth's column (default: the first accuracy)")
    parser.add_argument(
        '--space', default='NASBench201Space', help='type of the space (default: NASBench201Space)'
    )
    parser.add_argument('--config', help='config with the space in model.space, instead of --space')
    parser.add_argument(
        '--n', type=int, default=200, help='networks that a search evaluates (default: 200)'
    )
    parser.add_argument('--seeds', type=int, default=20, help='number of seeds (default: 20)')
    parser.add_argument('--cost', default='flops', help="the budget's column (default: flops)")
    parser.add_argument('--max-cost', type=float, help='the budget (default: no limit)')
    parser.add_argument('--population', type=int, default=20, help='default: 20')
    parser.add_argument('--scores', help="a supernet's scores, one row per path")
    parser.add_argument(
        '--score', choices=['loss', 'accuracy'], default='loss',
        help='which of them: minus the loss, or the accuracy (default: loss)',
    )  # fmt: skip
    parser.add_argument('--out', required=True, help='folder for curves.jsonl and curves.png')
    args = parser.parse_args(argv)
    if args.seeds < 2:
        parser.error(f'--seeds {args.seeds}: must be at least 2')
    return args


def table_of(rows: Sequence[dict], methods: Sequence[str], number: int) -> str:
    """True accuracy after some numbers of evaluations, as a Markdown table."""
    stops = sorted({n for n in (10, 20, 50, 100) if n < number} | {number})
    lines = [f'| search | {" | ".join(f"after {n}" for n in stops)} |']
    lines.append('|---' * (len(stops) + 1) + '|')
    for name in methods:
        curves = np.array([[y for _, y in r['curve']] for r in rows if r['variant'] == name])
        cells = [
            f'{bootstrap(lambda s, values=curves[:, n - 1]: values[s].mean(), len(curves)):.2f}'
            for n in stops
        ]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    init_default_scope('mmrel')
    config = load_config(args.config).model.space if args.config else dict(type=args.space)
    table = read_truth_table(args.table, SEARCH_SPACES.build(config), args.accuracy)
    scores = read_scores(args.scores, args.score) if args.scores else None
    search = TableSearch(table, args.n, scores, args.cost, args.max_cost, args.population)
    rows: list[dict] = []
    out = Path(args.out)
    for name, method in search.methods.items():
        for seed in track(range(args.seeds), name, transient=True):
            curve = search.curve(method(seed))
            rows.append(dict(variant=name, seed=seed, curve=list(enumerate(curve, 1))))
        # Now, so that an interruption costs one method.
        write_atomically(format_rows(rows).encode(), str(out / 'curves.jsonl'))
    note = dict(vars(args), best=search.best)
    write_atomically((json.dumps(note, indent=1) + '\n').encode(), str(out / 'setting.json'))
    study = dict(
        variants={name: {} for name in search.methods}, metric='accuracy',
        ylabel='true accuracy of the best by score, %', xlabel='evaluated networks',
        title=f'{Path(args.table).stem}: mean and range over {args.seeds} seeds',
        references={'best': search.best},
    )  # fmt: skip
    # As dots, all evaluations would hide the lines.
    thin = [
        dict(row, curve=[point for point in row['curve'] if point[0] in _shown(args.n)])
        for row in rows
    ]
    plot_study(thin, study, out / 'curves.png')
    print(
        f'true accuracy of the best by score, mean of {args.seeds} seeds with its 95% interval; '
        f'the best within the budget has {search.best:.2f}'
    )
    print(table_of(rows, list(search.methods), args.n))
    worst = {
        name: min(row['curve'][-1][1] for row in rows if row['variant'] == name)
        for name in search.methods
    }
    print(
        'lowest of the seeds: ' + ', '.join(f'{name} {value:.2f}' for name, value in worst.items())
    )
    print(f'wrote {out / "curves.jsonl"}, {out / "curves.png"}')


def _shown(number: int) -> set[int]:
    """The first evaluations are far below the others and would flatten the curves."""
    return {*range(max(1, number // 20), number + 1, max(1, number // 50)), number}


if __name__ == '__main__':
    run_command(main)
