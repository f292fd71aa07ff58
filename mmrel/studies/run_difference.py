"""Find differences between two runs that should be identical."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmrel.utils.checkpoint import load_checkpoint_file
from mmrel.utils.json_lines import read_rows
from mmrel.visualization import find_scalars, read_scalars

# Values that depend on the clock or the device, not on training.
_MEASURED = {'time', 'data_time', 'memory', 'eta'}
_STATES = ('state_dict', 'optimizer', 'gradients', 'param_schedulers')


def training_difference(ours: Path, theirs: Path) -> str | None:
    """Compare losses, validation records and checkpoints of two training runs exactly.

    Args:
        ours (Path): A work dir.
        theirs (Path): The work dir to compare with. ``ours`` must have all of its
            checkpoints, and may have more.

    Returns:
        str, optional: The first difference, in one line, or None.
    """
    logs = [read_scalars(*find_scalars(folder)) for folder in (ours, theirs)]
    for part, name in (('train', 'loss'), ('val', 'validation')):
        rows = [[_result(line) for line in getattr(log, part)] for log in logs]
        steps = [[row.get('iter', row.get('step')) for row in run] for run in rows]
        if steps[0] != steps[1]:
            return f'{name} records of steps {_short(steps[0])}, not {_short(steps[1])}'
        if difference := next(differences(rows[0], rows[1]), None):
            return f'{name} records: {difference}'
    for path in sorted(theirs.glob('*.pth')):
        if not (ours / path.name).is_file():
            return f'{path.name} is missing'
        mine, other = (load_checkpoint_file(folder / path.name) for folder in (ours, theirs))
        for content in (mine, other):
            content['meta'] = {key: content['meta'][key] for key in ('epoch', 'iter')}
        for part in (*_STATES, 'meta'):
            if difference := next(differences(mine.get(part), other.get(part), part), None):
                return f'{path.name}: {difference}'
    return None


def search_difference(ours: Path, theirs: Path) -> str | None:
    """Compare the paths, scores and best paths of two searches exactly.

    Args:
        ours (Path): A work dir.
        theirs (Path): The work dir to compare with.

    Returns:
        str, optional: The first difference, in one line, or None.
    """
    for name in ('paths.jsonl', 'top.json', 'best_path.json', 'pareto.json'):
        if not (ours / name).is_file():
            return f'{name} is missing'
        contents = []
        for folder in (ours, theirs):
            file = folder / name
            by_line = file.suffix == '.jsonl'
            contents.append(read_rows(file) if by_line else json.loads(file.read_text()))
        if difference := next(differences(contents[0], contents[1]), None):
            return f'{name}: {difference}'
    return None


def differences(ours: Any, theirs: Any, where: str = '') -> Iterator[str]:
    """Compare nested dicts, lists, tensors and plain values exactly. NaN equals NaN.

    Args:
        ours (Any): The first content.
        theirs (Any): The content to compare with.
        where (str): Name of the content, for the result. Defaults to ''.

    Yields:
        str: Where and how they differ, in one line.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        if odd := sorted(map(str, ours.keys() ^ theirs.keys())):
            yield f'{where}: only one run has {_short(odd)}'.removeprefix(': ')
        for key in ours.keys() & theirs.keys():
            yield from differences(ours[key], theirs[key], f'{where}.{key}'.removeprefix('.'))
    elif _is_list(ours) and _is_list(theirs):
        if len(ours) != len(theirs):
            yield f'{where}: {len(ours)} entries, not {len(theirs)}'.removeprefix(': ')
        for i, pair in enumerate(zip(ours, theirs, strict=False)):
            yield from differences(*pair, f'{where}[{i}]')
    elif isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        if ours.shape != theirs.shape:
            yield f'{where}: shape {tuple(ours.shape)}, not {tuple(theirs.shape)}'
        elif not torch.allclose(ours, theirs, rtol=0, atol=0, equal_nan=True):
            far = (ours.double() - theirs.double()).abs().max().item()
            yield f'{where}: differs by up to {far:.3g}'
    elif ours != theirs and not (ours != ours and theirs != theirs):
        yield f'{where}: {ours!r}, not {theirs!r}'.removeprefix(': ')


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _result(line: Mapping) -> dict:
    return {key: value for key, value in line.items() if key not in _MEASURED}


def _short(values: Sequence) -> str:
    text = ', '.join(map(str, values))
    return text if len(text) <= 60 else f'{text[:28]} ... {text[-28:]}'
