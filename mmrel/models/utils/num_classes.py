"""The number of classes: where a config and a checkpoint hold it."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from torch import nn

from mmrel.registry import MODELS, SEARCH_SPACES

_KEY = 'num_classes'
# Key prefixes of a model's classifier.
_CLASSIFIERS = ('head.', 'classifier.')


def _argument(registry: Any, part: Any) -> inspect.Parameter | None:
    """The ``num_classes`` argument of a part's class."""
    kind = part.get('type') if isinstance(part, Mapping) else None
    kind = registry.get(kind) if isinstance(kind, str) else kind
    return None if kind is None else inspect.signature(kind).parameters.get(_KEY)


class Holder(NamedTuple):
    """The part of a model's config that holds a number.

    Attributes:
        key (str): The number's key in the config.
        part (dict): The part.
        name (str): The number's name in the part.
        has_default (bool): Whether the number has a default.
    """

    key: str
    part: dict
    name: str
    has_default: bool


def count_holder(model: Mapping) -> Holder | None:
    """The part of a model's config that holds ``num_classes``; None without a classifier."""
    for prefix, registry, part in (
        ('model.space.', SEARCH_SPACES, model.get('space')),
        ('model.', MODELS, model),
        ('model.head.', MODELS, model.get('head')),
    ):
        argument = _argument(registry, part)
        if argument is not None:
            default = argument.default not in (inspect.Parameter.empty, None)
            return Holder(f'{prefix}{_KEY}', cast(dict, part), _KEY, default)
    return None


def set_count(model: Mapping, number: int) -> None:
    """Set ``num_classes`` in place if the config leaves it out (no key, or None).

    Args:
        model (Mapping): The model's config. Its data preprocessor is completed
            too, if it mixes images or makes one-hot labels.
        number (int): Number of classes.
    """
    holder = count_holder(model)
    if holder is None:
        return
    if holder.part.get(_KEY) is None:
        holder.part[_KEY] = number
    number = holder.part[_KEY]
    preprocessor = model.get('data_preprocessor')
    if not isinstance(preprocessor, dict) or preprocessor.get(_KEY) is not None:
        return
    mixes = (model.get('train_cfg') or {}).get('augments')
    if mixes or preprocessor.get('to_onehot') or _KEY in preprocessor:
        preprocessor[_KEY] = number


def checkpoint_classes(content: Any) -> tuple[str, ...] | None:
    """The class names of a checkpoint's classifier.

    Args:
        content (Mapping): A checkpoint.

    Returns:
        tuple[str, ...], optional: None if it has no classifier, or no class
        names.

    Raises:
        ValueError: If the names are not a list of strings.
    """
    meta = content.get('meta') if isinstance(content, Mapping) else None
    names = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    names = names.get('classes') if isinstance(names, Mapping) else None
    if not names or count_in(content) is None:
        return None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"the checkpoint's class names (meta.dataset_meta.classes) are of "
            f'type {type(names).__name__}, not a list of strings: mmrel did not write it'
        )
    return tuple(names)


def arrays_in(content: Any) -> dict[str, Any]:
    """The arrays of a checkpoint, without the prefix ``module.`` in their keys."""
    state = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    if not isinstance(state, Mapping):
        return {}
    return {
        str(key).removeprefix('module.'): value
        for key, value in state.items()
        if getattr(value, 'ndim', False)
    }


def count_in(content: Any) -> int | None:
    """The number of classes of a checkpoint's classifier: the length of its last bias.

    Args:
        content (Mapping): A checkpoint.

    Returns:
        int, optional: None if it has no classifier.
    """
    found = [
        value
        for key, value in arrays_in(content).items()
        if key.startswith(_CLASSIFIERS) and key.endswith('.bias')
    ]
    return int(found[-1].shape[-1]) if found else None


def model_count(model: nn.Module) -> tuple[str, int] | None:
    """The number of classes of a built classifier.

    Args:
        model (nn.Module): The unwrapped model.

    Returns:
        tuple[str, int], optional: The config key and the number; None for a model
        without a classifier.
    """
    for name in ('space', '', 'head'):
        part = getattr(model, name, None) if name else model
        number = getattr(part, _KEY, None)
        if isinstance(number, int) and number > 0:
            return '.'.join(filter(None, ('model', name, _KEY))), number
    return None
