"""A config that trains the stand-alone network of a path."""

import inspect
import pprint
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config, ConfigDict

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.config_file import read_config
from mmrel.utils.package import package_root
from mmrel.utils.renamed import current_path


def find_base(base: str, config: str | None = None) -> str:
    """Find the config from which a retraining config takes everything but the network.

    Args:
        base (str): A path relative to the search config's folder, the working
            directory or the repository, in this order.
        config (str, optional): The search config. Defaults to None.

    Returns:
        str: The absolute path.

    Raises:
        FileNotFoundError: If it is in none of these places.
    """
    places = [Path(), package_root()]
    if config:
        places.insert(0, Path(config).resolve().parent)
    for place in places:
        file = Path(current_path(str(place / base)))
        if file.is_file():
            return str(file.resolve())
    looked = ', '.join(map(str, (place.resolve() for place in places)))
    raise FileNotFoundError(f'retrain.base={base!r} does not exist in any of these: {looked}')


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
    """A value as literals: mmengine's dicts and lists become Python's, and classes become names."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    if isinstance(value, type) or inspect.isroutine(value):
        return f'{value.__module__}.{value.__qualname__}'
    return value


def _both(first: Mapping | None, second: Mapping | None) -> dict:
    """The modules of two ``custom_imports``, each once."""
    modules: dict[str, None] = {}
    for part in (first, second):
        names = (part or {}).get('imports', [])
        modules.update(dict.fromkeys([names] if isinstance(names, str) else names))
    failing = any((part or {}).get('allow_failed_imports') for part in (first, second))
    return dict(imports=list(modules), allow_failed_imports=bool(failing))


def retraining_config(
    space: SearchSpace, path: ArchPath, base: str, remark: str, imports: Mapping | None = None
) -> str:
    """The text of a config for ``tools/train.py``.

    It is complete: it has no ``_base_`` and works on another machine.

    Args:
        space (SearchSpace): The space.
        path (ArchPath): The path.
        base (str): The base config, from :func:`find_base`. It provides data,
            schedule and non-architectural model settings, such as the loss.
        remark (str): Text for the first line. Unprintable characters become spaces.
        imports (Mapping, optional): ``custom_imports`` of the search, which register
            the network's classes. They are added to the base's. Defaults to None.

    Returns:
        str: The text.

    Raises:
        ValueError: If the resulting network is not the path's.
    """
    wanted = _plain(space.subnet(path))
    cfg = read_config(base)
    override = dict(model=_over(_plain(cfg.get('model', {})), wanted))
    whole = Config._merge_a_into_b(ConfigDict(override), cfg._cfg_dict)
    if not _holds(whole['model'], wanted):
        raise ValueError(
            f'{base} cannot be adapted to the network of {path}: it builds {whole["model"]}'
        )
    if imports or whole.get('custom_imports'):
        whole['custom_imports'] = _both(whole.get('custom_imports'), imports)
    plain = _plain(whole)
    assert isinstance(plain, dict)
    # The network comes first, because readers look for it.
    parts = dict(model=plain.pop('model'), **plain)
    lines = [
        f'{key} = {pprint.pformat(value, width=98, sort_dicts=False)}'
        for key, value in parts.items()
    ]
    return '\n'.join([f'# {_one_line(remark)}', *lines]) + '\n'


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
