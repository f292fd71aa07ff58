"""Check a checkpoint's metadata, and drop what mmengine would run.

mmengine executes ``meta.config`` and the message hub's ``cfg`` as Python, and
deletes files at paths from the message hub. This module prevents both.
"""

import re
from collections.abc import Callable
from typing import Any

from .pickle_entries import DamagedContent


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _seed(value: Any) -> bool:
    return value is None or (_whole(value) and value < 2**32)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _path(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _steps(value: Any) -> bool:
    return isinstance(value, list) and all(map(_whole, value))


_Check = tuple[Callable[[Any], bool], str]
_COUNT: _Check = (_whole, 'a non-negative integer')
_META: dict[str, _Check] = dict(
    epoch=_COUNT,
    iter=_COUNT,
    official_epoch=_COUNT,
    seed=(_seed, 'an integer from 0 to 2**32 - 1'),
    **dict.fromkeys(
        ('cfg', 'experiment_name', 'time', 'mmengine_version', 'mmrel_version', 'converted_from'),
        (_text, 'a string'),
    ),
    **dict.fromkeys(
        ('dataset_meta', 'hook_msgs', 'network'), (_mapping, 'a dict with strings as keys')
    ),
)
_RUNTIME: dict[str, _Check] = dict(
    epoch=_COUNT,
    iter=_COUNT,
    max_epochs=_COUNT,
    max_iters=_COUNT,
    seed=(_seed, 'an integer from 0 to 2**32 - 1'),
    loop_stage=(lambda x: x in ('train', 'val', 'test'), "'train', 'val' or 'test'"),
    keep_ckpt_ids=(_steps, 'a list of non-negative integers'),
)
_PARTS: dict[str, _Check] = dict(
    meta=(_mapping, 'a dict with strings as keys'),
    message_hub=(_mapping, 'a dict with strings as keys'),
    optimizer=(lambda x: isinstance(x, dict), 'a dict'),
    param_schedulers=(lambda x: isinstance(x, list | dict), 'a list or a dict'),
)


_HUB: dict[str, _Check] = dict.fromkeys(
    ('log_scalars', 'runtime_info', 'resumed_keys'), (_mapping, 'a dict with strings as keys')
)


def _check(values: dict, checks: dict[str, _Check], where: str) -> None:
    for key, (fits, wanted) in checks.items():
        if key in values and not fits(values[key]):
            raise DamagedContent(f'{where}{key}={_short(values[key])} must be {wanted}')


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + '...'


def file_name(path: str | None) -> str | None:
    """The file name of a path in a checkpoint, or None if it has none.

    A run keeps and removes files only in its own folder, so the folder is not needed.
    """
    name = re.split(r'[/\\]', path or '')[-1]
    return name if name not in ('', '.', '..') and name.isprintable() else None


def clean_content(content: dict) -> None:
    """Check a checkpoint's metadata, and drop what mmengine would run, in place.

    ``meta.config`` and the message hub's ``cfg`` and ``experiment_name`` are dropped.
    Paths of the last and the best checkpoint are reduced to file names.

    Raises:
        DamagedContent: If an entry is invalid. The message has the key, its value and
            what it must be.
    """
    if content.get('meta', False) is None:
        del content['meta']
    _check(content, _PARTS, '')
    meta = content.get('meta', {})
    meta.pop('config', None)
    _check(meta, _META, 'meta.')
    hub = content.get('message_hub', {})
    _check(hub, _HUB, 'message_hub.')
    runtime = hub.get('runtime_info', {})
    for key in ('cfg', 'experiment_name'):
        runtime.pop(key, None)
        hub.get('resumed_keys', {}).pop(key, None)
    _check(runtime, _RUNTIME, 'message_hub.runtime_info.')
    for key in runtime:
        if key == 'last_ckpt' or re.match('best_ckpt(_|$)', key):
            _check(runtime, {key: (_path, 'a string or None')}, 'message_hub.runtime_info.')
            runtime[key] = file_name(runtime[key])
