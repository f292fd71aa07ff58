#!/usr/bin/env python
"""Write docs/model_zoo.md, the table of all models, from the metafiles."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrel.utils.command_line import run_command
from mmrel.utils.files import write_atomically
from mmrel.utils.metafile import read_index
from mmrel.utils.package import package_root

HEAD = """\
# All models

Made by `python tools/zoo/table.py` from the metafiles; do not edit it.

- **FLOPs** are multiply-accumulates for one image of the size that the config evaluates at,
  **parameters** are weights; both of the backbone alone, without neck and head
  (`python tools/zoo/complexity.py`). A supernet's FLOPs are those of its costliest path, its
  parameters all that it holds. The ViTAS paper also counts the classifier, once for every patch:
  its figures are in [configs/vitas](../configs/vitas/README.md#results).
- **Results** are top-1 accuracies in percent. *Reported*: by the authors, for their own weights.
  *Run here*: by this code; the commands are with the weights.
- **Weights** in `zoo/` come with mmrel; others are downloaded.
  `get_model(NAME, pretrained=True)` and `FeatureExtractor(NAME, pretrained=True)` take both.

| model | trained on | FLOPs | parameters | results | source | weights |
|---|---|---|---|---|---|---|
"""


def _rounded(value: int | None) -> str:
    """Three digits: 4087136256 -> '4.09 G'."""
    if value is None:
        return ''
    for unit, size in (('G', 10**9), ('M', 10**6), ('k', 10**3)):
        if value >= 0.9995 * size:
            scaled = value / size
            return f'{scaled:.{max(0, 2 - len(str(int(scaled + 0.0005))) + 1)}f} {unit}'
    return str(value)


def _metric(metrics: Mapping[str, float]) -> str:
    """The first metric: 'top-1 (k = 20) 61.2'."""
    name, value = next(iter(metrics.items()))
    return f'{name.replace("Top 1 Accuracy", "top-1").replace("Top 5 Accuracy", "top-5")} {value:g}'


def _results(entry: Mapping[str, Any]) -> str:
    results = [r for r in entry.get('Results') or [] if r.get('Metrics')]
    return '; '.join(f'{r["Task"]}, {_metric(r["Metrics"])}' for r in results)


def _weights(entry: Mapping[str, Any]) -> str:
    """Links to the weights and, of our own, to the commands."""
    weights = entry.get('Weights')
    if weights and '://' not in weights:
        folder = weights.rpartition('/')[0]
        return f'[file](../{weights}), [commands](../{folder}/README.md)'
    source = entry.get('Converted From') or {}
    link = source.get('Weights') if isinstance(source, Mapping) else source
    link = link or weights
    if isinstance(link, list):
        link = link[0]
    return f'[{"the authors" if source else "file"}]({link})' if link else ''


def row(entry: Mapping[str, Any]) -> str:
    """The line of an entry."""
    metadata, results = entry.get('Metadata') or {}, _results(entry)
    cells = (
        f'[{entry["Name"]}](../{entry["Config"]})',
        str(metadata.get('Training Data', '')),
        _rounded(metadata.get('FLOPs')),
        _rounded(metadata.get('Parameters')),
        results,
        ('reported' if entry.get('Converted From') else 'run here') if results else '',
        _weights(entry),
    )
    # A bar ends a cell.
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'


def page(root: Path) -> str:
    """The whole page: models with weights first, those that come with mmrel at the top.

    Args:
        root (Path): The folder of ``model-index.yml``.
    """
    entries = [entry for part in read_index(root).values() for entry in part]
    entries.sort(
        key=lambda entry: (
            not entry.get('Weights'),
            '://' in (entry.get('Weights') or ''),
            not entry.get('Results'),
        )
    )
    return HEAD + '\n'.join(map(row, entries)) + '\n'


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', type=Path, help='folder of model-index.yml (of this copy)')
    parser.add_argument(
        '--check', action='store_true', help='write nothing; fail if the page is out of date'
    )
    args = parser.parse_args(argv)
    root = args.root or package_root()
    file, text = root / 'docs' / 'model_zoo.md', page(root)
    if args.check:
        if not file.is_file() or file.read_text() != text:
            raise ValueError(f'{file} is out of date: run python tools/zoo/table.py')
        return
    write_atomically(text.encode(), str(file))
    print(f'{file}: {text.count(chr(10)) - HEAD.count(chr(10))} models')


if __name__ == '__main__':
    run_command(main)
