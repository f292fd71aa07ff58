"""Loading checkpoints without ever running what they carry.

mmengine loads every file through ``CheckpointLoader``. Its original release
fails on torch >= 2.6 because the training history in a checkpoint is not on
torch's allow-list; its maintained fork falls back to unrestricted unpickling
when the safe load fails, so a file from a stranger could run code. Both are
replaced here by one loader: ``weights_only`` with a short allow-list, no
fallback.
"""

import os
from pickle import UnpicklingError
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch.hub import download_url_to_file, get_dir


def _history_method(owner: type, name: str) -> Any:
    """Stands in for ``getattr``, by which a training history names its statistics."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise UnpicklingError(f'GLOBAL getattr of {name!r} on {owner!r} is not allowed')


def _safe_globals() -> list[Any]:
    """What an mmengine checkpoint holds besides tensors and plain values."""
    scalar_dtypes = (np.float64, np.float32, np.int64, np.int32, np.bool_)
    return [
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        np._core.multiarray._reconstruct,
        np._core.multiarray.scalar,
        *(type(np.dtype(t)) for t in scalar_dtypes),
        # NumPy 1 wrote the same two functions under this name.
        (np._core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (np._core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
    ]


def load_checkpoint_file(file: str | os.PathLike | BinaryIO, map_location: Any = 'cpu') -> Any:
    """Load a checkpoint without running any code that it carries.

    Args:
        file (str | PathLike | BinaryIO): A path or an open binary file.
        map_location: As in :func:`torch.load`.

    Returns:
        The content: usually a dict with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If the file is no checkpoint, is cut short, or holds
            objects other than tensors, plain values and mmengine's training
            history. Nothing of it was run.
    """
    name = getattr(file, 'name', '<stream>')
    if isinstance(file, str | os.PathLike):
        file = name = os.path.expanduser(os.fspath(file))
        if not os.path.isfile(file):
            raise FileNotFoundError(f'checkpoint {file!r} does not exist')
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            return torch.load(file, map_location=map_location, weights_only=True)
    except UnpicklingError as error:
        lines = str(error).strip().splitlines() or ['unreadable']
        detail = next((line.strip() for line in lines if 'GLOBAL' in line), lines[0])
        raise RuntimeError(
            f'checkpoint {name!r} was refused: it is damaged, or it holds objects that '
            f'only unrestricted unpickling could load, which could run code ({detail}). '
            'Ask its author for a file with tensors and plain values only.'
        ) from None
    except (RuntimeError, EOFError, ValueError) as error:
        raise RuntimeError(f'checkpoint {name!r} cannot be read: {error}') from error


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a local file for ``CheckpointLoader``, safely."""
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: Any = None, **_: Any) -> Any:
    """Download to torch's cache, once on the main process, and load safely."""
    cached = os.path.join(get_dir(), 'checkpoints', os.path.basename(filename))
    if is_main_process() and not os.path.isfile(cached):
        os.makedirs(os.path.dirname(cached), exist_ok=True)
        download_url_to_file(filename, cached)
    barrier()
    return load_checkpoint_file(cached, map_location)


def _safe_torch_load(file: Any, map_location: Any = None, **_: Any) -> Any:
    return load_checkpoint_file(file, map_location)


def use_safe_loading() -> None:
    """Make every scheme of mmengine's ``CheckpointLoader`` load safely.

    Called when mmrel is imported. The named zoos (``torchvision://``,
    ``openmmlab://``) resolve to a download and call ``load_from_http``; the
    forks' other schemes call ``_safe_torch_load``, the originals' call
    ``torch.load``, which is restricted by itself on the torch that we need.
    """
    register = CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    register(prefixes=['http://', 'https://'], loader=load_from_http, force=True)
    mmengine_checkpoint.load_from_http = load_from_http
    mmengine_checkpoint._safe_torch_load = _safe_torch_load
