#!/usr/bin/env python
"""Draw random paths within a search's budget, and write a retraining config for each."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.registry import init_default_scope

import mmrel.models  # noqa: F401
from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.budget import Budget, draw_paths, path_costs
from mmrel.search.retraining import find_base, retraining_config
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.files import write_together
from mmrel.utils.json_lines import format_rows


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='search config, as for tools/search.py')
    parser.add_argument('--n', type=int, default=8, help='number of paths (default: 8)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the draw (default: 0)')
    parser.add_argument('--out', required=True, help='folder for paths.jsonl and the configs')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    if args.n < 1:
        parser.error(f'--n {args.n}: must be at least 1')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmrel')
    if 'space' not in cfg.get('model', {}) or not cfg.get('test_cfg'):
        raise KeyError(f'{args.config} is not a search config: it lacks model.space or test_cfg')
    space = SEARCH_SPACES.build(cfg.model.space)
    budget = Budget(**cfg.test_cfg.budget) if cfg.test_cfg.get('budget') else None
    base, imports = None, cfg.get('custom_imports')
    if cfg.test_cfg.get('retrain'):
        base = find_base(cfg.test_cfg.retrain.base, args.config)
    paths = draw_paths(space, budget, args.n, np.random.default_rng(args.seed))
    extra = [budget.cost] if budget else []
    texts, rows = {}, []
    for i, path in enumerate(paths):
        row = dict(name=f'random_{i:02}', path=path, **path_costs(space, path, extra))
        rows.append(dict(row, key=space.key(path)))
        if base:
            remark = f'Random path {i}, seed {args.seed}, of {Path(args.config).name}.'
            texts[f'{row["name"]}.py'] = retraining_config(space, path, base, remark, imports)
    texts['paths.jsonl'] = format_rows(rows)
    out = Path(args.out)
    write_together(
        {
            str(out / name): lambda file, text=text: file.write(text.encode())
            for name, text in texts.items()
        }
    )
    print(f'{out / "paths.jsonl"}: {len(rows)} paths' + ' and their configs' * bool(base))


if __name__ == '__main__':
    run_command(main)
