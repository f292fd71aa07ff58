#!/usr/bin/env python
"""Ship a trained model with the zoo: zoo/NAME and its entry in the metafile.

NAME is that of the config, which must be below configs/. zoo/NAME gets model.safetensors (the
backbone alone, unless --keys names more), log.json, curves.png and README.md. The entry gets
Weights, Training Log, Command, Results, FLOPs and Parameters. Run it again, for example with more
results; equal inputs give equal files. Results that are already there stay.

Evaluate the file that is shipped:

    python tools/zoo/add_entry.py CONFIG CHECKPOINT --data 'CIFAR-10' --command '...'
    python tools/test.py CONFIG zoo/NAME/model.safetensors --out knn.json
    python tools/zoo/add_entry.py CONFIG CHECKPOINT --data 'CIFAR-10' --command '...' \
        --result kNN 'CIFAR-10, test' knn.json 'python tools/test.py ...'
    python tools/zoo/table.py

A classifier is shipped whole by --keys =. SimMatch's teacher fits the config of a classifier:

    --keys teacher.backbone.=backbone. teacher.classifier.=head.fc.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmrel.apis import get_model, load_config
from mmrel.apis.complexity import complexity
from mmrel.apis.zoo_files import (
    check_total,
    log_lines,
    read_metrics,
    readme,
    replaced,
    shipped_meta,
    shipped_state,
    write_shipped,
)
from mmrel.utils import load_checkpoint_file
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.files import write_together
from mmrel.utils.metafile import add_entry, read_index, set_fields
from mmrel.utils.package import package_root
from mmrel.visualization.curves import find_scalars, plot_curves, read_scalars


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path, help='its config, below configs/')
    parser.add_argument('checkpoint', type=Path, help='its checkpoint')
    parser.add_argument('--data', required=True, help='what it was trained on, in words')
    parser.add_argument('--command', required=True, help='the command that trained it')
    parser.add_argument('--work-dir', type=Path, help='of the run (the folder of the checkpoint)')
    parser.add_argument(
        '--result',
        nargs=4,
        action='append',
        default=[],
        metavar=('TASK', 'DATASET', 'JSON', 'COMMAND'),
        help='metrics: the file of tools/test.py --out or the work dir of a training (its last '
        'validation); and the command that made them',
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['backbone.=backbone.'],
        metavar='OLD=NEW',
        help='beginnings of the keys to keep and what becomes of them (backbone.=backbone.); a '
        'whole model: =',
    )
    parser.add_argument('--root', type=Path, help='folder of model-index.yml (of this copy)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='changes of the config, as a.b=value'
    )
    args = parser.parse_args(argv)
    for word in args.keys:
        if '=' not in word:
            parser.error(f'--keys {word}: must be OLD=NEW')
    return args


def _places(root: Path, config: Path) -> tuple[str, Path]:
    """The config's path in the repository, and the metafile that it belongs to."""
    try:
        place = config.resolve().relative_to(root.resolve())
    except ValueError:
        place = Path()
    index = read_index(root)
    for file, entries in index.items():
        if any(entry['Config'] == place.as_posix() for entry in entries):
            return place.as_posix(), file
    near = [f for f in index if config.resolve().is_relative_to(f.resolve().parent)]
    if not place.parts or not near:
        raise ValueError(
            f'{str(config)!r} must be below a folder with a metafile: '
            + ', '.join(f.parent.relative_to(root).as_posix() for f in index)
        )
    return place.as_posix(), max(near, key=lambda file: len(file.parts))


def _new_entry(cfg: Config, place: str, metafile: Path) -> dict[str, Any]:
    """An entry for a config that has none."""
    length = cfg.train_cfg.get('max_epochs')
    metadata = {} if length is None else {'Epochs': length}
    metadata['Batch Size'] = cfg.train_dataloader.batch_size
    collections = yaml.safe_load(metafile.read_text())['Collections']
    return {
        'Name': Path(place).stem,
        'Metadata': metadata,
        'In Collection': collections[0]['Name'],
        'Results': None,
        'Config': place,
    }


def _changed(
    text: str, name: str, fields: Mapping[str, Any], new: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """A metafile with an entry's fields, and the entry."""
    text = set_fields(text if new is None else add_entry(text, new), name, fields)
    models = yaml.safe_load(text)['Models']
    return text, next(entry for entry in models if entry['Name'] == name)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    init_default_scope('mmrel')
    root = args.root or package_root()
    place, metafile = _places(root, args.config)
    name = Path(place).stem
    cfg = load_config(str(args.config), args.cfg_options)
    run = read_scalars(*find_scalars(args.work_dir or args.checkpoint.parent))
    checkpoint = load_checkpoint_file(args.checkpoint)
    state = shipped_state(checkpoint, dict(word.split('=', 1) for word in args.keys))
    known = {entry['Name']: entry for entry in read_index(root)[metafile]}
    new = None if name in known else _new_entry(cfg, place, metafile)
    results = replaced(
        known.get(name, {}).get('Results'),
        [
            dict(Task=task, Dataset=dataset, Metrics=read_metrics(file), Command=command)
            for task, dataset, file, command in args.result
        ],
    )
    fields = {
        'Metadata.Training Data': args.data,
        **{f'Metadata.{key}': value for key, value in complexity(cfg).items()},
        'Results': results or None,
        'Weights': f'zoo/{name}/model.safetensors',
        'Training Log': f'zoo/{name}/log.json',
        'Command': args.command,
    }
    text, entry = _changed(metafile.read_text(), name, fields, new)
    meta = shipped_meta(cfg, name, checkpoint) | dict(
        training_data=args.data, command=args.command, results=results
    )
    folder = root / 'zoo' / name
    with tempfile.TemporaryDirectory() as temporary:
        weights, curves = Path(temporary) / 'model.safetensors', Path(temporary) / 'curves.png'
        dtype = write_shipped(state, meta, weights)
        check_total(root / 'zoo', name, weights.stat().st_size)
        get_model(cfg, weights)  # strict: what is shipped fits its config
        plot_curves(run, curves)
        contents = {
            folder / 'model.safetensors': weights.read_bytes(),
            folder / 'curves.png': curves.read_bytes(),
            folder / 'log.json': log_lines(run).encode(),
            folder / 'README.md': readme(name, entry).encode(),
            metafile: text.encode(),
        }
    # `content` is bound as a default: the functions run after the loop.
    write_together(
        {str(p): lambda file, raw=content: file.write(raw) for p, content in contents.items()}
    )
    size = (folder / 'model.safetensors').stat().st_size / 1e6
    print(f'{folder}: {len(state)} tensors in {dtype}, {size:.2f} MB; {metafile} has its entry')
    if not results:
        print('no results yet: evaluate model.safetensors and run this again with --result')


if __name__ == '__main__':
    run_command(main)
