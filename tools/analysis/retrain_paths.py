#!/usr/bin/env python
"""Train the networks of given paths from scratch. A restart keeps finished rows and does the rest.

PATHS is a .jsonl with one path per line (paths.jsonl of tools/search.py or random_paths.py), or a
.json with one path or a list of paths (best_path.json, top.json). WORK_DIR/retrained.jsonl gets one
row per network: key, path, and accuracy of the last validation.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmengine.registry import init_default_scope

import mmrel.models  # noqa: F401
from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.retraining import find_base, retraining_config
from mmrel.studies.runs import Runs
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.json_lines import read_rows


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='search config; its retrain.base sets the schedule')
    parser.add_argument('paths', nargs='+', help='files of paths; duplicates are trained once')
    parser.add_argument('--work-dir', required=True, help='folder for the rows and the runs')
    parser.add_argument(
        '--metric', default='accuracy/top1', help='metric to store (default: accuracy/top1)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of each run (default: 0)')
    parser.add_argument('--jobs', type=int, default=1, help='concurrent runs (default: 1)')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads per run (default: 2)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides for all runs'
    )
    args = parser.parse_args(argv)
    for name in ('jobs', 'threads'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)}: must be at least 1')
    return args


def read_any(file: str) -> list[dict]:
    """The rows of a .json or .jsonl file; a bare path becomes a row."""
    if Path(file).suffix == '.json' and Path(file).is_file():
        try:
            content = json.loads(Path(file).read_text(encoding='utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(f'{file} is not valid JSON: {error}') from error
        rows = content if isinstance(content, list) else [content]
    else:
        rows = read_rows(file)
    return [row if 'path' in row else dict(path=row) for row in rows]


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config)
    init_default_scope('mmrel')
    space = SEARCH_SPACES.build(cfg.model.space)
    if not cfg.get('test_cfg', {}).get('retrain'):
        raise KeyError(
            f'{args.config} has no test_cfg.retrain.base: set it to the retraining config'
        )
    base = find_base(cfg.test_cfg.retrain.base, args.config)
    imports = cfg.get('custom_imports')
    paths = {}
    for file in args.paths:
        for number, row in enumerate(read_any(file), 1):
            try:
                space.validate(row['path'])
            except ValueError as error:
                raise ValueError(f'{file}, path {number}: {error}') from error
            paths.setdefault(space.key(row['path']), (row['path'], f'Path {number} of {file}.'))
    work_dir = Path(args.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    out = work_dir / 'retrained.jsonl'
    runs = Runs(out, lambda row: row['key'], args.jobs, args.threads)
    ours = dict(seed=args.seed, space=space.fingerprint())
    for row in runs.rows:
        if {key: row.get(key) for key in ours} != ours:
            raise ValueError(
                f'{out} has networks of another seed or space than {ours}: use another --work-dir'
            )

    def retrain(key: str) -> dict:
        path, remark = paths[key]
        folder = work_dir / key
        folder.mkdir(exist_ok=True)
        config = folder / 'retrain.py'
        config.write_text(retraining_config(space, path, base, remark, imports))
        options = dict(args.cfg_options or {})
        options.setdefault('default_hooks.checkpoint.max_keep_ckpts', 1)
        found = runs.results(str(config.resolve()), options, args.seed, folder, args.metric)
        return dict(key=key, path=path, top1=found['curve'][-1][1], **ours)

    runs.complete({key: partial(retrain, key) for key in paths}, 'networks')
    print(f'{out}: {len(paths)} networks')


if __name__ == '__main__':
    run_command(main)
