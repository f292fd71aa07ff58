"""Change a config by dotted keys, and check that something reads these keys."""

import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from mmrel.utils.option_values import TypedText, option_value

_MISSING = object()
# Keys that mmengine or mmrel reads from a config in addition to the Runner's arguments.
_ALSO_READ = (
    'model_wrapper_cfg',
    'sync_bn',
    'find_unused_parameters',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'compile',
    'custom_imports',
    'runner_type',
    'view_color',
)
READ_SECTIONS = frozenset(inspect.signature(Runner.__init__).parameters).union(_ALSO_READ) - {
    'self',
    'cfg',
    'launcher',  # set by a command's --launcher
}


class ConfigKeyError(KeyError):
    """A config key that nothing reads, or a missing one."""

    def __str__(self) -> str:
        """The message, without the quotes of a KeyError."""
        return str(self.args[0]) if self.args else ''


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Config):
        node = node._cfg_dict
    if isinstance(node, dict):
        yield from ((str(key), value) for key, value in node.items())
    elif isinstance(node, list | tuple):
        yield from ((str(i), value) for i, value in enumerate(node))


def dotted_keys(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """All keys of a config with their values, each section before its contents.

    Args:
        node (Any): A config or a section.
        prefix (str): Prefix of the keys. Defaults to ''.

    Yields:
        tuple[str, Any]: Key and value, such as ``'model.backbone.depth', 50``.
    """
    for name, value in _children(node):
        key = f'{prefix}{name}'
        yield key, value
        yield from dotted_keys(value, f'{key}.')


def nearest_keys(cfg: Config, key: str, number: int = 3) -> list[str]:
    """The valid keys of a config that are closest to a wrong one.

    Args:
        cfg (Config): The config.
        key (str): The wrong dotted key.
        number (int): Maximum number of keys. Defaults to 3.

    Returns:
        list[str]: Keys with the same ending first, then those with a similar spelling.
    """
    known = [k for k, _ in dotted_keys(cfg) if k.split('.')[0] in READ_SECTIONS]
    known += sorted(READ_SECTIONS - set(known))
    near = [k for k in known if k.endswith(f'.{key}')]
    near += difflib.get_close_matches(key, known, n=number, cutoff=0.7)
    if '.' not in key:
        ends = {k.rpartition('.')[2]: k for k in reversed(known)}
        near += [ends[end] for end in difflib.get_close_matches(key, ends, number, cutoff=0.8)]
    return list(dict.fromkeys(near))[:number]


def _copies(cfg: Config, section: str) -> list[str]:
    """Keys that have the value of a helper variable such as ``train_pipeline``."""
    value = cfg[section]
    if value is None or isinstance(value, bool) or value in ({}, [], ''):
        return []
    return [k for k, v in dotted_keys(cfg) if k.split('.')[0] in READ_SECTIONS and v == value]


def _check_section(cfg: Config, key: str) -> None:
    """Reject a key whose section nothing reads."""
    section, _, rest = key.partition('.')
    if section in READ_SECTIONS:
        return
    if section == 'launcher':
        raise ConfigKeyError(f'--cfg-options {key}: use the option --launcher instead')
    if section not in cfg:
        near = ', '.join(nearest_keys(cfg, key)) or ', '.join(sorted(READ_SECTIONS))
        what = 'section' if rest else 'key'
        raise ConfigKeyError(
            f'--cfg-options {key}: the config has no {what} {section!r}; nearest: {near}'
        )
    copies = [f'{copy}.{rest}'.rstrip('.') for copy in _copies(cfg, section)]
    # The user's own code may read this key.
    if not copies and ('custom_imports' in cfg or 'runner_type' in cfg):
        return
    near = ', '.join((copies or nearest_keys(cfg, rest or key))[:3])
    raise ConfigKeyError(
        f'--cfg-options {key}: nothing reads {section!r} after the config file is loaded'
        + (f'; change {near}' if near else '')
    )


def _step(node: Any, name: str, key: str) -> Any:
    """The value under a name in a section or list; ``_MISSING`` if it can be added."""
    if isinstance(node, dict):
        return node.get(name, _MISSING)
    if isinstance(node, list | tuple):
        if name.isdecimal() and int(name) < len(node):
            return node[int(name)]
        raise ConfigKeyError(
            f'--cfg-options {key}: {name!r} is not a valid index of a list of {len(node)}'
        )
    raise ConfigKeyError(
        f'--cfg-options {key}: {name!r} cannot be set: {str(node)!r:.60} is not a section'
    )


def _changed(node: Any, names: list[str], value: Any, key: str) -> Any:
    """A copy of a section with one value changed; the other values are shared."""
    present = _step(node, names[0], key)
    if len(names) > 1:
        inner = ConfigDict() if present is _MISSING or present is None else present
        new = _changed(inner, names[1:], value, key)
    else:
        if isinstance(value, TypedText):
            value = option_value(value, None if present is _MISSING else present)
        base = {'value': present} if isinstance(present, dict) else {}
        # As in mmengine, a dict is merged unless it has _delete_.
        new = Config._merge_a_into_b({'value': value}, base)['value']
        if isinstance(new, dict):
            new = ConfigDict(new)
    if isinstance(node, dict):
        copied = node.copy()
        copied[names[0]] = new
        return copied
    items = list(node)
    items[int(names[0])] = new
    return type(node)(items)


def apply_options(cfg: Config, options: dict[str, Any]) -> None:
    """Change a config by dotted keys, in place and in order.

    Args:
        cfg (Config): The config.
        options (dict[str, Any]): Dotted keys and their values; a value from the
            command line is a :class:`.TypedText`.

    Raises:
        KeyError: If nothing reads a key, or it cannot be set; the message lists
            the nearest valid keys.
    """
    for key, value in options.items():
        names = key.split('.')
        if not all(names):
            raise ConfigKeyError(
                f'--cfg-options {key}: a key must be names separated by dots, such as '
                'model.backbone.depth'
            )
        _check_section(cfg, key)
        section = _changed(cfg._cfg_dict, names, value, key)[names[0]]
        cfg[names[0]] = section
    if any(key.split('.')[0] == 'custom_imports' for key in options):
        import_modules_from_strings(**cfg.custom_imports)
