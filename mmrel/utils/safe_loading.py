"""mmengine's ``CheckpointLoader`` without running code: in a block, or in the whole process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from .checkpoint import load_checkpoint_file
from .download import cached_path, downloaded, main_process_first

_SWITCH = 'MMREL_SAFE_LOADING'


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a local file safely, for ``CheckpointLoader``.

    A missing path is looked up in the model zoo's index, because mmengine's hub passes an
    entry's ``Weights`` unchanged, relative to the repository.
    """
    if not os.path.isabs(filename) and not os.path.exists(os.path.expanduser(filename)):
        from .released import entry_of, zoo_file  # imports this module

        if entry_of(filename) is not None:
            filename = zoo_file(filename)
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: Any = None, **_: Any) -> Any:
    """Download to the cache, once on the main process, and load safely.

    If the URL is listed in the zoo's index as an authors' file, this loads the converted
    weights.
    """
    from .released import entry_of, is_converted, released_weights  # imports this module

    entry = entry_of(filename)
    if entry is not None and is_converted(entry):
        return load_checkpoint_file(released_weights(entry['Name']), map_location)
    cached = cached_path(filename)

    def fill() -> None:
        if os.path.isfile(cached):
            return
        with downloaded(filename, cached, (entry or {}).get('SHA256')) as path:
            load_checkpoint_file(path)  # keep unreadable files out of the cache
            os.replace(path, cached)

    main_process_first(fill)
    try:
        return load_checkpoint_file(cached, map_location)
    except RuntimeError as error:
        raise RuntimeError(f'{error}; delete the file to download {filename} again') from None


def _load_from_zoo(filename: str, map_location: Any = None) -> Any:
    from .released import load_from_zoo  # imports this module

    return load_from_zoo(filename, map_location)


def _safe_torch_load(file: Any, map_location: Any = None, **_: Any) -> Any:
    return load_checkpoint_file(file, map_location)


_FUNCTIONS: dict[str, Any] = dict(load_from_http=load_from_http, _safe_torch_load=_safe_torch_load)


def use_safe_loading() -> None:
    """Make every scheme of mmengine's ``CheckpointLoader`` load safely, in the whole process.

    mmrel's commands, its Runner, ``load_config``, ``get_model`` and
    ``register_all_modules`` call it, and so does ``import mmrel``
    (:func:`use_safe_loading_on_import`). ``mmrel://NAME`` is a model in the zoo. The named
    zoos (``torchvision://``, ``openmmlab://``) resolve to a download and call
    ``load_from_http``. In the forks the other schemes call ``_safe_torch_load``; in the
    originals they call ``torch.load``, which is already restricted in the torch versions
    that mmrel requires.
    """
    register = CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    register(prefixes=['http://', 'https://'], loader=load_from_http, force=True)
    register(prefixes='mmrel://', loader=_load_from_zoo, force=True)
    for name, function in _FUNCTIONS.items():
        setattr(mmengine_checkpoint, name, function)


def use_safe_loading_on_import() -> None:
    """:func:`use_safe_loading`, unless the environment says ``MMREL_SAFE_LOADING=0``.

    Someone who imports mmrel's modules and runs mmengine's own Runner on them calls
    nothing of mmrel before a checkpoint is read, and mmengine's loader falls back to
    unrestricted unpickling. Only the import is early enough.

    Raises:
        ValueError: If the variable is neither 0 nor 1.
    """
    text = os.environ.get(_SWITCH) or '1'
    if text not in ('0', '1'):
        raise ValueError(
            f'{_SWITCH}={text!r} must be 1 (mmengine loads checkpoints safely once mmrel is '
            'imported) or 0 (only mmrel does)'
        )
    if text == '1':
        use_safe_loading()


@contextmanager
def safe_loading() -> Iterator[None]:
    """Make ``CheckpointLoader`` load safely within a ``with`` block."""
    schemes = dict(CheckpointLoader._schemes)
    before = {name: getattr(mmengine_checkpoint, name, None) for name in _FUNCTIONS}
    use_safe_loading()
    try:
        yield
    finally:
        CheckpointLoader._schemes = schemes
        for name, function in before.items():
            setattr(mmengine_checkpoint, name, function)


def load_checkpoint(checkpoint: str, map_location: Any = 'cpu', logger: str = 'silent') -> Any:
    """Load a checkpoint safely, whatever the process's ``CheckpointLoader`` does.

    Args:
        checkpoint (str): A path, or a URI that mmengine's ``CheckpointLoader`` supports.
        map_location: Same as in :func:`torch.load`. Defaults to 'cpu'.
        logger (str): Same as in ``CheckpointLoader.load_checkpoint``. Defaults to
            'silent'.

    Returns:
        dict: The content, as from :func:`.load_checkpoint_file`.

    Raises:
        Exception: As for :func:`.load_checkpoint_file`, and if it cannot be downloaded.
    """
    with safe_loading():
        return CheckpointLoader.load_checkpoint(checkpoint, map_location, logger=logger)
