"""Read a config file, with errors that name the file."""

import os
from typing import Any

from mmengine.config import Config

from .renamed import current_path, new_path


def read_config(path: str) -> Config:
    """Read a config file and its base files.

    mmengine writes a ``_scope_`` into each dict of a base of another package, such as
    ``mmrel::ressl/NAME.py``. Those that equal ``default_scope`` are removed: some dicts are
    arguments, such as ``collate_fn``, and would be called with ``_scope_``.

    Args:
        path (str): The file; a former name of one of our configs works, with a warning.

    Returns:
        Config: Its content.

    Raises:
        FileNotFoundError: If the file or one of its base files does not exist.
        ImportError: If a module of ``custom_imports`` cannot be imported.
        ValueError: If a file is not a valid config. The message names the file and the error.
    """
    path = current_path(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'config {path!r} does not exist')
    try:
        cfg = Config.fromfile(path)
    except ImportError as error:
        raise ImportError(f'config {path!r} cannot import a module: {_root(error)}') from error
    except FileNotFoundError as error:
        missing = str(error.filename or error)
        new = new_path(missing)
        hint = f'; it is now named {os.path.basename(new)!r}' if new else ''
        raise FileNotFoundError(
            f'config {path!r} is based on {missing!r}, which does not exist{hint}'
        ) from error
    except Exception as error:  # a config is a program: it may raise anything
        line = getattr(error, 'lineno', None)
        where = f', line {line}' if line else ''
        fault = getattr(error, 'msg', None) or ' '.join(map(str, error.args))
        raise ValueError(
            f'config {_file_of(error, path)!r} is not a valid config{where}: '
            f'{type(error).__name__}: {fault}'
        ) from error
    _drop_scope(cfg._cfg_dict, cfg.get('default_scope'))
    return cfg


def _drop_scope(value: Any, scope: str | None) -> None:
    if isinstance(value, dict):
        if scope is not None and value.get('_scope_') == scope:
            del value['_scope_']
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in list(value):
        _drop_scope(item, scope)


def _root(error: BaseException) -> BaseException:
    """The original import error, below mmengine's errors about it."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


def _file_of(error: BaseException, path: str) -> str:
    """The file that mmengine was reading, which may be one of ``_base_``."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == '_file2dict':
            path = str(trace.tb_frame.f_locals.get('filename', path))
        trace = trace.tb_next
    return path
