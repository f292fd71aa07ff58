#!/usr/bin/env python
"""Write FLOPs and Parameters of all entries to the metafiles.

Both count only the backbone, without neck and head. FLOPs are multiply-accumulates for one image of
the config's evaluation size. A supernet's FLOPs are those of its most expensive path; its
parameters are all parameters of its backbone.
"""

import argparse
import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from mmrel.apis import load_config
from mmrel.apis.complexity import complexity, size_pipeline
from mmrel.utils.command_line import run_command
from mmrel.utils.files import write_atomically
from mmrel.utils.metafile import read_index, set_fields
from mmrel.utils.package import package_root


def _key(cfg: Config) -> str:
    """A key that is equal for configs with the same backbone and image size."""
    model = cfg.model
    backbone = {key: value for key, value in model.backbone.items() if key != 'init_cfg'}
    parts = (backbone, model.get('space'), model.get('k'))
    return json.dumps([*parts, size_pipeline(cfg)], sort_keys=True, default=str)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'names', nargs='*', default=['*'], help='names or patterns (default: all entries)'
    )
    parser.add_argument(
        '--check', action='store_true', help='write nothing; fail if a value is out of date'
    )
    parser.add_argument(
        '--root', type=Path, help="folder of model-index.yml (default: this copy's)"
    )
    args = parser.parse_args(argv)
    init_default_scope('mmrel')
    root = args.root or package_root()
    index, known, old = read_index(root), {}, []
    entries = [
        (file, entry)
        for file, models in index.items()
        for entry in models
        if any(fnmatch.fnmatch(entry['Name'], pattern) for pattern in args.names)
    ]
    if not entries:
        raise ValueError(f'no entry of the zoo matches {" ".join(args.names)}')
    for file, entry in track(entries, 'entries', transient=True):
        cfg = load_config(str(root / entry['Config']))
        key = _key(cfg)
        if key not in known:
            known[key] = complexity(cfg)
        if {k: entry['Metadata'].get(k) for k in known[key]} == known[key]:
            continue
        old.append(entry['Name'])
        if not args.check:
            fields = {f'Metadata.{field}': value for field, value in known[key].items()}
            write_atomically(
                set_fields(file.read_text(), entry['Name'], fields).encode(), str(file)
            )
    if args.check and old:
        more = f' and {len(old) - 3} more' if len(old) > 3 else ''
        raise ValueError(
            f'FLOPs or Parameters are out of date: {", ".join(old[:3])}{more}; run '
            'python tools/zoo/complexity.py'
        )
    print(f'{len(entries)} entries, {len(old)} changed')


if __name__ == '__main__':
    run_command(main)
