#!/usr/bin/env python
"""Add a trained model to the zoo: the folder zoo/NAME and its entry in the metafile.

NAME is the name of the config, which must be below configs/. zoo/NAME gets model.safetensors
(only the backbone, unless --keys selects more), log.json, curves.png and README.md. The entry gets
Weights, Training Log, Command, Results, FLOPs and Parameters. Run the command again to add
results; earlier ones are kept. Equal inputs give equal files.

Results should come from the shipped file:

    python tools/zoo/add_entry.py CONFIG CHECKPOINT --data 'CIFAR-10' --command '...'
    python tools/test.py CONFIG zoo/NAME/model.safetensors --out knn.json
    python tools/zoo/add_entry.py CONFIG CHECKPOINT --data 'CIFAR-10' --command '...' \
        --result kNN 'CIFAR-10, test' knn.json 'python tools/test.py ...'
    python tools/zoo/table.py

--keys = ships a whole model, such as a classifier. To ship SimMatch's teacher as a classifier:

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
from mmrel.engine.loaders import batch_size_of
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
    parser.add_argument('config', type=Path, help='config of the model, below configs/')
    parser.add_argument('checkpoint', type=Path, help='checkpoint of the model')
    parser.add_argument('--data', required=True, help='description of the training data')
    parser.add_argument('--command', required=True, help='command that trained the model')
    parser.add_argument(
        '--work-dir', type=Path, help="work dir of the run (default: the checkpoint's folder)"
    )
    parser.add_argument(
        '--result',
        nargs=4,
        action='append',
        default=[],
        metavar=('TASK', 'DATASET', 'JSON', 'COMMAND'),
        help='a result; JSON is the file from tools/test.py --out, or a work dir, whose last '
        'validation is used; COMMAND is the command that produced it',
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['backbone.=backbone.'],
        metavar='OLD=NEW',
        help='prefixes of the keys to keep, and their replacements (default: backbone.=backbone.); '
        '= keeps the whole model',
    )
    parser.add_argument(
        '--root', type=Path, help="folder of model-index.yml (default: this copy's)"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    for word in args.keys:
        if '=' not in word:
            parser.error(f'--keys {word}: must be OLD=NEW')
    return args


def _places(root: Path, config: Path) -> tuple[str, Path]:
    """The config's path in the repository, and its metafile."""
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
    """A new entry for a config."""
    length = cfg.train_cfg.get('max_epochs')
    metadata = {} if length is None else {'Epochs': length}
    metadata['Batch Size'] = batch_size_of(cfg.train_dataloader)
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
    """The metafile with the entry's new fields, and the entry."""
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
        get_model(cfg, weights)  # fails if the shipped weights do not fit the config
        plot_curves(run, curves)
        contents = {
            folder / 'model.safetensors': weights.read_bytes(),
            folder / 'curves.png': curves.read_bytes(),
            folder / 'log.json': log_lines(run).encode(),
            folder / 'README.md': readme(name, entry).encode(),
            metafile: text.encode(),
        }
    # A default binds `content`, because the functions run after the loop.
    write_together(
        {str(p): lambda file, raw=content: file.write(raw) for p, content in contents.items()}
    )
    size = (folder / 'model.safetensors').stat().st_size / 1e6
    print(f'{folder}: {len(state)} tensors in {dtype}, {size:.2f} MB; its entry is in {metafile}')
    if not results:
        print('no results yet: evaluate model.safetensors and run this again with --result')


if __name__ == '__main__':
    run_command(main)
