"""The description of the network in a checkpoint, under ``meta['network']``."""

import re
from collections.abc import Mapping
from typing import Any

_PREPROCESSOR = ('mean', 'std')


def plain(value: Any) -> Any:
    """A value as a checkpoint may hold it. Other values become strings."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    # Subclasses, such as TypedText, are converted too.
    return value if type(value) in (bool, int, float, str, type(None)) else str(value)


def name_in_mmrel(kind: str) -> str:
    """The name that other packages use for a recorded type (``ResNet``, ``mmpretrain.ResNet``)."""
    return f'mmrel.{kind.removeprefix("mmrel.").removeprefix("mmpretrain.")}'


def _evaluation_view(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The image sizes of the config's evaluation: ``input_size`` and ``resize`` in pixels."""
    for part in ('val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(part) or {}).get('dataset') or {}
        for step in dataset.get('pipeline') or []:
            if isinstance(step, Mapping) and step.get('type') == 'CentralView':
                size = step.get('size')
                return dict(input_size=size, resize=step.get('resize') or size)
    return {}


def network_record(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What a user of the weights needs to know.

    Args:
        cfg (Mapping): A training config.

    Returns:
        dict[str, Any]: Plain values, as far as the config has them: ``method`` (the
        model's type), ``backbone`` (its config without ``init_cfg``), ``supernet``
        (whether the weights are those of a supernet), ``mean`` and ``std`` (for RGB
        values from 0 to 255), ``input_size`` and ``resize`` (pixels, in evaluation).
    """
    model = cfg.get('model') or {}
    record: dict[str, Any] = dict(method=plain(model.get('type')), supernet='space' in model)
    if isinstance(model.get('backbone'), Mapping):
        backbone = {k: v for k, v in model['backbone'].items() if k != 'init_cfg'}
        record['backbone'] = plain(backbone)
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    record |= {k: plain(preprocessor[k]) for k in _PREPROCESSOR if preprocessor.get(k)}
    return record | plain(_evaluation_view(cfg))


def read_record(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """The valid entries of a checkpoint's record.

    A checkpoint may come from anyone, and its record ends up in snippets that people paste.

    Args:
        meta (Mapping, optional): ``meta`` of a checkpoint.

    Returns:
        dict[str, Any]: The record, without entries that :func:`network_record` cannot
        have written.
    """
    record = (meta or {}).get('network')
    if not isinstance(record, Mapping):
        return {}
    kept: dict[str, Any] = {}
    backbone = record.get('backbone')
    if (
        isinstance(backbone, Mapping)
        and all(isinstance(key, str) and key.isidentifier() for key in backbone)
        and re.fullmatch(r'\w+(\.\w+)*', str(backbone.get('type')), re.ASCII)
    ):
        kept['backbone'] = dict(backbone)
    for key in _PREPROCESSOR:
        value = record.get(key)
        if isinstance(value, list) and value and all(type(v) in (int, float) for v in value):
            kept[key] = value
    kinds = dict(method=str, supernet=bool, input_size=int, resize=int)
    kept |= {key: record[key] for key, kind in kinds.items() if type(record.get(key)) is kind}
    return kept
