"""The number of classes: where a config sets it, and how to derive it."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from mmengine.runner.checkpoint import CheckpointLoader
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


class _Holder(NamedTuple):
    """The part of a model's config that holds ``num_classes``."""

    key: str
    part: dict
    has_default: bool


def _holder(model: Mapping) -> _Holder | None:
    for prefix, registry, part in (
        ('model.space.', SEARCH_SPACES, model.get('space')),
        ('model.', MODELS, model),
        ('model.head.', MODELS, model.get('head')),
    ):
        argument = _argument(registry, part)
        if argument is not None:
            default = argument.default not in (inspect.Parameter.empty, None)
            return _Holder(f'{prefix}{_KEY}', cast(dict, part), default)
    return None


def set_count(model: Mapping, number: int) -> None:
    """Set ``num_classes`` in place if the config leaves it out (no key, or None).

    Args:
        model (Mapping): The model's config. Its data preprocessor is completed
            too, if it mixes images or makes one-hot labels.
        number (int): Number of classes.
    """
    holder = _holder(model)
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
    if not names or _count_in(content) is None:
        return None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"the checkpoint's class names (meta.dataset_meta.classes) are of "
            f'type {type(names).__name__}, not a list of strings: mmrel did not write it'
        )
    return tuple(names)


def _count_in(content: Any) -> int | None:
    """The length of the last bias of a checkpoint's classifier."""
    state = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    if not isinstance(state, Mapping):
        return None
    found = [
        value
        for key, value in state.items()
        if str(key).removeprefix('module.').startswith(_CLASSIFIERS)
        and str(key).endswith('.bias')
        and getattr(value, 'ndim', False)
    ]
    return int(found[-1].shape[-1]) if found else None


def checkpoint_count(checkpoint: str) -> int | None:
    """The number of classes of a checkpoint's classifier.

    Args:
        checkpoint (str): A path, or a URI that mmengine's ``CheckpointLoader``
            supports.

    Returns:
        int, optional: None if it has no classifier.
    """
    return _count_in(CheckpointLoader.load_checkpoint(checkpoint, 'cpu', logger='silent'))


def complete_count(
    model: Mapping, checkpoint: str | None, of_data: Callable[[], int | None] | None = None
) -> int | None:
    """Derive ``num_classes`` in place if the config leaves it out.

    It comes from the checkpoint to be loaded, otherwise from the training set.

    Args:
        model (Mapping): The model's config.
        checkpoint (str, optional): The checkpoint to be loaded.
        of_data (Callable, optional): Returns the number of classes of the training
            set. Defaults to None: there is no training set.

    Returns:
        int, optional: The derived number; None if the config has it, or a default
        applies.

    Raises:
        ValueError: If it cannot be derived; the message names the key.
    """
    holder = _holder(model)
    if holder is None:
        return None
    if holder.part.get(_KEY) is not None:
        set_count(model, holder.part[_KEY])  # the data preprocessor's
        return None
    number = checkpoint_count(checkpoint) if checkpoint else None
    if number is None and of_data is not None:
        number = of_data()
    if number is None and _KEY not in holder.part and holder.has_default:
        return None  # the default of a space
    if number is None:
        key = holder.key
        where = (
            f'{checkpoint!r} has no classifier' if checkpoint else 'there is no checkpoint'
        ) + (' and the training set has no classes' if of_data else '')
        raise ValueError(
            f'{key} is not set, and {where}: set {key}=... to the number of your classes '
            '(--cfg-options, or cfg_options in Python)'
        )
    set_count(model, number)
    return number


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
