"""A config that trains the stand-alone network of a path."""

import pprint
from collections.abc import Mapping
from pathlib import Path as FilePath

from mmengine.config import Config, ConfigDict

from mmrel.utils.config_file import read_config
from mmrel.utils.package import package_root

from .space import Path, SearchSpace


def find_base(base: str) -> str:
    """Find the config from which a retraining config takes everything but the network.

    Args:
        base (str): A path relative to the working directory or the repository.

    Returns:
        str: The absolute path.

    Raises:
        FileNotFoundError: If it is in neither place.
    """
    for place in (FilePath(base), package_root() / base):
        if place.is_file():
            return str(place.resolve())
    raise FileNotFoundError(
        f'retrain.base={base!r} exists neither in the working directory nor in {package_root()}'
    )


def _over(base: object, value: object) -> object:
    """The override that turns a config's value into ``value`` and keeps its other keys.

    A part with another type inherits nothing from the one that it replaces.
    """
    if not isinstance(value, Mapping) or not isinstance(base, Mapping):
        return value
    if base.get('type') != value.get('type') and 'type' in value and 'type' in base:
        return dict(_delete_=True, **value)
    return {key: _over(base.get(key), part) for key, part in value.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return value


def retraining_config(space: SearchSpace, path: Path, base: str, remark: str) -> str:
    """The text of a config for ``tools/train.py``.

    Args:
        space (SearchSpace): The space.
        path (Path): The path.
        base (str): The base config, from :func:`find_base`. It provides data,
            schedule and non-architectural model settings, such as the loss.
        remark (str): Text for the first line. Unprintable characters become spaces.

    Returns:
        str: The text. It refers to ``base`` by its absolute path.

    Raises:
        ValueError: If the resulting network is not the path's.
    """
    wanted = _plain(space.subnet(path))
    cfg = read_config(base)
    model = _over(_plain(cfg.get('model', {})), wanted)
    text = (
        f'# {_one_line(remark)}\n_base_ = [{base!r}]\n\n'
        f'model = {pprint.pformat(model, width=98, sort_dicts=False)}\n'
    )
    got = Config._merge_a_into_b(ConfigDict(model=model), cfg._cfg_dict)['model']
    if not _holds(got, wanted):
        raise ValueError(f'{base} cannot be adapted to the network of {path}: it builds {got}')
    return text


def _one_line(text: str) -> str:
    """Keep a comment on one line."""
    return ''.join(char if char.isprintable() else ' ' for char in text)


def _holds(got: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(
            key in got and _holds(got[key], part) for key, part in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(wanted):
            return False
        return all(map(_holds, got, wanted))
    return got == wanted
