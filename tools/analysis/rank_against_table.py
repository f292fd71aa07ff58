#!/usr/bin/env python
"""Compare how a supernet ranks random networks with a table of their accuracies.

Scores N networks of the table on the images of the config's val_dataloader, with BN statistics
from training images, and prints Kendall's tau, Spearman's rho and the regret of the best by score,
each with its 95% interval, beside the same of FLOPs, parameters and number of layers. The networks
depend only on --seed and the table: each function once, and none whose output does not see its
input.
OUT gets scores.jsonl, ranking.json and ranking.png. A restart keeps the finished scores.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmrel.apis import build_runner, load_config
from mmrel.engine import leave_processes
from mmrel.registry import SEARCH_SPACES
from mmrel.search.table_ranking import (
    aligned,
    rank_score,
    ranking_table,
    read_scores,
    trivial_scores,
    truth_ceiling,
)
from mmrel.search.truth_table import TruthTable, read_truth_table
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.files import write_atomically
from mmrel.utils.json_lines import format_rows
from mmrel.visualization import plot_rank_correlation


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help="the supernet's training config")
    parser.add_argument('checkpoint', help='supernet checkpoint')
    parser.add_argument('--table', required=True, help='CSV file (see docs/ranking.md)')
    parser.add_argument('--accuracy', help="the truth's column (default: the first accuracy)")
    parser.add_argument('--n', type=int, default=400, help='number of networks (default: 400)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the networks (default: 0)')
    parser.add_argument(
        '--score', choices=['loss', 'accuracy'], default='loss',
        help='minus the loss, which has no ties, or the accuracy (default: loss)',
    )  # fmt: skip
    parser.add_argument('--bands', type=int, default=4, help='bands of FLOPs (default: 4)')
    parser.add_argument('--out', required=True, help='folder for the scores and the results')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    if args.bands < 1:
        parser.error(f'--bands {args.bands}: must be at least 1')
    return args


def score_networks(
    cfg: Config, args: argparse.Namespace, table: TruthTable, rows: np.ndarray
) -> dict[str, float]:
    """The scores in OUT/scores.jsonl by key, after scoring the networks that it lacks."""
    out = Path(args.out)
    paths, scores = out / 'paths.jsonl', out / 'scores.jsonl'
    chosen = [dict(path=path) for path in table.space.paths(table.indices[rows])]
    write_atomically(format_rows(chosen).encode(), str(paths))
    cfg.test_dataloader = dict(cfg.val_dataloader)
    cfg.test_evaluator = dict(type='Accuracy')
    cfg.test_cfg = dict(
        type='ScorePathsLoop', paths=str(paths), out=str(scores), log_interval=50,
    )  # fmt: skip
    cfg.load_from = args.checkpoint
    build_runner(cfg).test()
    return read_scores(scores, args.score)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    init_default_scope('mmrel')
    cfg = load_config(args.config, args.cfg_options, args.out)
    table = read_truth_table(args.table, SEARCH_SPACES.build(cfg.model.space), args.accuracy)
    rows = table.sample(args.n, args.seed)
    keys = [table.space.key(path) for path in table.space.paths(table.indices[rows])]
    score = aligned(score_networks(cfg, args, table, rows), keys)
    name = 'supernet, minus the loss' if args.score == 'loss' else 'supernet, accuracy'
    found = [
        rank_score(name, values, table, rows, args.bands)
        for name, values in {name: score, **trivial_scores(table, rows)}.items()
    ]
    print(f'{len(rows)} networks of {args.table} (seed {args.seed}), 95% intervals')
    print(ranking_table(found))
    ceiling = truth_ceiling(table, rows)
    if ceiling is not None:
        print(f"Kendall's tau of the truth with another run of its trainings: {ceiling}")
    result = dict(
        checkpoint=args.checkpoint, config=args.config, table=args.table, n=len(rows),
        seed=args.seed, score=args.score, ranking=[row.to_dict() for row in found],
        ceiling=None if ceiling is None else vars(ceiling),
    )  # fmt: skip
    out = Path(args.out)
    write_atomically((json.dumps(result, indent=1) + '\n').encode(), str(out / 'ranking.json'))
    title = f"Kendall's tau {found[0].tau}\nSpearman's rho {found[0].rho}"
    plot_rank_correlation(
        score.tolist(),
        table.accuracy[rows].tolist(),
        out / 'ranking.png',
        name,
        'trained alone, %',
        title,
    )
    print(f'wrote {out / "ranking.json"}, {out / "ranking.png"}')
    leave_processes()


if __name__ == '__main__':
    run_command(main)
