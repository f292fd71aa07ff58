"""The files that the zoo ships for a trained model: weights, metadata, log, page."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmrel.utils.json_lines import format_rows
from mmrel.utils.safetensors_file import save_safetensors
from mmrel.utils.state_dict import check_finite, weights_of
from mmrel.version import __version__
from mmrel.visualization.curves import Scalars, find_scalars, read_scalars

from .complexity import image_size

# The repository and every wheel include these files.
MAX_BYTES, MAX_TOTAL_BYTES = 3_000_000, 20_000_000
# Keys to keep from the checkpoint's own metadata.
_KEPT = ('epoch', 'iter', 'dataset_meta', 'network')


def shipped_state(checkpoint: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Tensor]:
    """The part of a checkpoint's weights that is shipped.

    Args:
        checkpoint (Mapping): A checkpoint with ``state_dict``.
        keys (Mapping[str, str]): Key prefixes and their replacements, such as
            ``{'teacher.backbone.': 'backbone.'}``. Other keys are left out.

    Returns:
        dict[str, Tensor]: The weights, on the CPU.

    Raises:
        KeyError: If no key of the checkpoint has one of the prefixes, or two keys would
            become equal.
        RuntimeError: If a value is not a finite tensor.
    """
    given, kept = weights_of(checkpoint, 'the checkpoint'), {}
    for old, new in keys.items():
        part = {k: v for k, v in given.items() if k.startswith(old)}
        if not part:
            raise KeyError(
                f'no key starts with {old!r}; the first keys are {", ".join(sorted(given)[:5])}'
            )
        for key, value in part.items():
            renamed = new + key.removeprefix(old)
            if renamed in kept:
                raise KeyError(f'two keys would become {renamed!r}: check --keys')
            kept[renamed] = value
    check_finite(kept, 'the checkpoint')
    return kept


def write_shipped(
    state: Mapping[str, Tensor], meta: dict[str, Any], path: str | os.PathLike
) -> str:
    """Write weights in float32, or in float16 if the file would be too large.

    Args:
        state (Mapping[str, Tensor]): From :func:`shipped_state`.
        meta (dict[str, Any]): Metadata; ``dtype`` is added.
        path (str | PathLike): The .safetensors file.

    Returns:
        str: 'float32' or 'float16'.

    Raises:
        ValueError: If the file is too large even in float16.
        RuntimeError: If a weight overflows in float16.
    """
    for dtype in (torch.float32, torch.float16):
        cast = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
        name = str(dtype).removeprefix('torch.')
        save_safetensors(dict(state_dict=cast, meta=dict(meta, dtype=name)), path)
        if os.path.getsize(path) <= MAX_BYTES:
            check_finite(cast, f'the checkpoint in {name}')
            return name
    size = os.path.getsize(path) / 1e6
    os.remove(path)
    raise ValueError(
        f'the weights take {size:.1f} MB in float16, but the zoo ships at most '
        f'{MAX_BYTES / 1e6:.0f} MB: train a smaller network, or leave keys out (--keys)'
    )


def check_total(zoo: Path, name: str, size: int) -> None:
    """Check that the zoo does not become too large.

    Args:
        zoo (Path): The zoo's folder.
        name (str): The model to add or replace.
        size (int): Size of its weights in bytes.

    Raises:
        ValueError: If the total size would be too large.
    """
    others = [p.stat().st_size for p in zoo.glob('*/model.safetensors') if p.parent.name != name]
    if sum(others) + size > MAX_TOTAL_BYTES:
        raise ValueError(
            f'{str(zoo)!r} would contain {(sum(others) + size) / 1e6:.1f} MB of weights, more than '
            f'{MAX_TOTAL_BYTES / 1e6:.0f} MB: remove another model first'
        )


def shipped_meta(cfg: Config, name: str, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata in a shipped file.

    Args:
        cfg (Config): The model's config, as it was run.
        name (str): The model's name in the zoo.
        checkpoint (Mapping): Its training checkpoint.
    """
    meta = {k: v for k, v in (checkpoint.get('meta') or {}).items() if k in _KEPT}
    model = cfg.model.to_dict()
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    backbone = {k: v for k, v in model['backbone'].items() if k != 'init_cfg'}
    return meta | dict(
        name=name,
        method=model['type'],
        backbone=backbone,
        image_size=list(image_size(cfg)),
        mean=list(preprocessor.get('mean') or []),
        std=list(preprocessor.get('std') or []),
        mmrel_version=__version__,
    )


def log_lines(run: Scalars) -> str:
    """A run's log as JSON lines in training order, with resumed parts merged.

    Args:
        run (Scalars): From :func:`mmrel.visualization.curves.read_scalars`.
    """
    key = 'epoch' if run.by_epoch else 'iter'
    placed = [(line.get(key, 0), 0, line) for line in run.train]
    placed += [(line['step'], 1, line) for line in run.val]
    placed.sort(key=lambda item: item[:2])  # a stable sort
    return format_rows(line for *_, line in placed)


def _metric_name(key: str) -> str:
    """'knn20/top1' -> 'Top 1 Accuracy (k = 20)', 'accuracy/top5' -> 'Top 5 Accuracy'."""
    *places, last = key.split('/')
    top = re.fullmatch(r'top(\d+)', last)
    places = [re.sub(r'^knn(\d+)$', r'k = \1', place) for place in places]
    where = ', '.join(p for p in places if p not in ('accuracy', 'single-label'))
    return (f'Top {top[1]} Accuracy' if top else last) + (f' ({where})' if where else '')


def read_metrics(path: str | os.PathLike) -> dict[str, float]:
    """The metrics of a run, by their names in the zoo.

    Args:
        path (str | PathLike): The .json file of ``tools/test.py --out``, or the work dir of a
            training (such as a linear evaluation), whose last validation is used.

    Returns:
        dict[str, float]: Metrics with two decimals, top-1 accuracies first.

    Raises:
        FileNotFoundError: If the file does not exist, or the folder has no log.
        ValueError: If there are no metrics, or a metric is not a finite number.
    """
    content = _last_validation(path) if Path(path).is_dir() else _parsed(path)
    for key, value in content.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f'{str(path)!r}: {key}={value!r} is not a finite number')
    ordered = sorted(content, key=lambda key: not key.endswith('top1'))
    return {_metric_name(key): round(content[key], 2) for key in ordered}


def _parsed(path: str | os.PathLike) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(
            f'{str(path)!r} is not JSON ({error}): give the file from tools/test.py --out, or a '
            'work dir'
        ) from None
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{str(path)!r} has no metrics: give the file from tools/test.py --out')
    return content


def _last_validation(work_dir: str | os.PathLike) -> dict[str, Any]:
    run = read_scalars(*find_scalars(work_dir))
    if not run.val:
        raise ValueError(
            f'the log in {str(work_dir)!r} has no validation: give the work dir of a run that '
            'validated'
        )
    aside = ('step', 'time', 'data_time')
    return {key: value for key, value in run.val[-1].items() if key not in aside}


def readme(name: str, entry: Mapping[str, Any]) -> str:
    """The README of a shipped model.

    Args:
        name (str): The model's name.
        entry (Mapping): Its entry in the metafile.
    """
    lines = [
        f'# {name}', '', f'[Config](../../{entry["Config"]}) · [log](log.json)', '',
        f'Data: {entry["Metadata"]["Training Data"]}. Trained by', '',
        '```bash', str(entry['Command']), '```', '', '![curves](curves.png)', '',
    ]  # fmt: skip
    for result in entry.get('Results') or []:
        lines += [f'**{result["Task"]}**, {result["Dataset"]}: {_listed(result["Metrics"])}', '']
        lines += ['```bash', result['Command'], '```', '']
    return '\n'.join(lines)


def _listed(metrics: Mapping[str, float]) -> str:
    return ', '.join(f'{name} {value:.2f}' for name, value in metrics.items())


def replaced(results: Sequence[Mapping] | None, new: Sequence[Mapping]) -> list[Mapping]:
    """Add results, replacing old ones with the same task and dataset."""
    known = {(r['Task'], r['Dataset']): r for r in [*(results or []), *new]}
    return list(known.values())
