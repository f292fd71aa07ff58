"""Convert the checkpoints that the authors released to mmrel's format."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmrel.utils.state_dict import check_finite, weights_of

from . import ressl, simmatch, vitas, wcl
from .release import Release

_RELEASES: dict[str, Release] = dict(
    ressl=ressl.RELEASE, wcl=wcl.RELEASE, simmatch=simmatch.RELEASE, vitas=vitas.RELEASE
)

METHODS = tuple(_RELEASES)


def convert_key(method: str, key: str) -> str:
    """Convert a key of an official checkpoint to mmrel's.

    Args:
        method (str): One of :data:`METHODS`.
        key (str): The official key, with or without ``module.``.

    Returns:
        str: The key in mmrel's algorithm of that method.

    Raises:
        KeyError: If the method does not have this key.
    """
    bare = key.removeprefix('module.')
    for pattern, replacement in _RELEASES[method].keys:
        if re.match(pattern, bare):
            return re.sub(pattern, replacement, bare)
    raise KeyError(f'{key!r} is not a key of an official {method} checkpoint')


def convert_checkpoint(method: str, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an official checkpoint to mmrel's format.

    Args:
        method (str): One of :data:`METHODS`.
        checkpoint (Mapping): The official file's content.

    Returns:
        dict: ``state_dict`` with mmrel's keys, and ``meta`` with the origin
        (including the official epoch).

    Raises:
        KeyError: If the file has no entry with weights (``model``, or
            ``state_dict`` for SimMatch), or has unknown keys. The message
            lists them.
        RuntimeError: If the weights are not tensors, or are NaN or infinite.
    """
    release = _RELEASES[method]
    entry = release.entry
    if entry not in checkpoint:
        raise KeyError(
            f'the checkpoint has no {entry!r}, only {sorted(map(str, checkpoint))[:8]}: '
            f'give an official {method} file'
        )
    where = f'the official {method} file'
    check_finite(weights_of(dict(state_dict=checkpoint[entry]), where), where)
    official = checkpoint[entry]
    state: dict[str, Tensor] = {}
    unknown = []
    for key, value in official.items():
        try:
            state[convert_key(method, key)] = value
        except KeyError:
            unknown.append(key)
    if unknown:
        raise KeyError(
            f'{len(unknown)} keys do not belong to an official {method} file: {unknown[:8]}'
        )
    if release.finish is not None:
        state = release.finish(official, state)
    meta: dict[str, Any] = dict(converted_from=f'official {method} checkpoint')
    if isinstance(checkpoint.get('epoch'), int):
        meta['official_epoch'] = checkpoint['epoch']
    return dict(meta=meta, state_dict=state)
