"""Making a checkpoint that others load from one that a run goes on from."""

import hashlib
import io
import os
from collections.abc import Mapping
from typing import Any

import torch

from .files import write_atomically
from .state_dict import check_finite, weights_of

_KEPT_META = ('epoch', 'iter', 'converted_from', 'official_epoch', 'dataset_meta', 'mmrel_version')


def publish(checkpoint: Mapping[str, Any], path: str) -> str:
    """Write the student's backbone alone, with a hash in the file's name.

    Args:
        checkpoint (Mapping): A training checkpoint with ``state_dict``.
        path (str): Where to; ``name.pth`` becomes ``name-1a2b3c4d.pth``.

    Returns:
        str: The path that was written.

    Raises:
        KeyError: If the checkpoint has no ``backbone.`` weights.
        RuntimeError: If its values are not tensors, or are NaN or infinite.
    """
    state = weights_of(checkpoint, 'the checkpoint')
    kept = {k: v.detach().cpu().clone() for k, v in state.items() if k.startswith('backbone.')}
    if not kept:
        raise KeyError(f"no key starts with 'backbone.'; there are {sorted(state)[:5]}")
    check_finite(kept, 'the checkpoint')
    meta = {k: v for k, v in (checkpoint.get('meta') or {}).items() if k in _KEPT_META}
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=kept), buffer)
    content = buffer.getvalue()
    stem, ending = os.path.splitext(path)
    path = f'{stem}-{hashlib.sha256(content).hexdigest()[:8]}{ending or ".pth"}'
    write_atomically(content, path)
    return path
