"""Numbers of a model that a config may leave out, because they follow from the data."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, cast

from mmrel.registry import MODELS
from mmrel.utils.safe_loading import load_checkpoint

from .num_classes import Holder, arrays_in, count_holder, count_in, set_count

_BANK_LABELS = 'memory.labels'


class DataNumbers(NamedTuple):
    """Numbers of a training set.

    Attributes:
        classes (int, optional): Number of classes. Defaults to None: it has none.
        labeled (int, optional): Number of labeled images of a semi-supervised set.
            Defaults to None: it is not one.
    """

    classes: int | None = None
    labeled: int | None = None


def complete_numbers(
    model: Mapping,
    checkpoint: str | None,
    of_data: Callable[[], DataNumbers | None] | None = None,
) -> dict[str, int]:
    """Derive the numbers that a config leaves out (no key, or None), in place.

    They are the classifier's ``num_classes``, and the ``size`` of a memory with a slot
    for each labeled image. Both come from the checkpoint to be loaded, otherwise from
    the training set. The model is built afterwards, so its weights and buffers have
    their final shapes from the start.

    Args:
        model (Mapping): The model's config.
        checkpoint (str, optional): The checkpoint to be loaded: a path, or a URI that
            mmengine's ``CheckpointLoader`` supports.
        of_data (Callable, optional): Returns the numbers of the training set, or None
            if there is none. Called at most once. Defaults to None: there is no
            training set.

    Returns:
        dict[str, int]: The derived numbers by their keys in the config. Without a
        checkpoint's or a training set's, a memory gets a single slot, which no result
        depends on, and which is not in the dict.

    Raises:
        ValueError: If the number of classes cannot be derived; the message names the
            key.
    """

    @cache
    def content() -> Any:
        if checkpoint is None:
            return {}
        return load_checkpoint(checkpoint)

    @cache
    def data() -> DataNumbers:
        return (of_data and of_data()) or DataNumbers()

    derived = {}
    classes, size = count_holder(model), _size_holder(model)
    if classes is not None and _is_open(classes):
        number = count_in(content()) or data().classes
        if number is not None:
            derived[classes.key] = classes.part[classes.name] = number
        elif classes.name in classes.part or not classes.has_default:
            raise ValueError(_nothing_to_follow(classes.key, checkpoint, of_data is not None))
    if classes is not None and not _is_open(classes):
        set_count(model, classes.part[classes.name])  # the data preprocessor's
    if size is not None and _is_open(size):
        number = _bank_size_in(content()) or data().labeled
        if number is not None:
            derived[size.key] = number
        size.part[size.name] = number or 1
    return derived


def _is_open(holder: Holder) -> bool:
    return holder.part.get(holder.name) is None


def _size_holder(model: Mapping) -> Holder | None:
    """The memory's config, if the memory has a slot for each labeled image."""
    memory = model.get('memory')
    kind = memory.get('type') if isinstance(memory, Mapping) else None
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    if not getattr(kind, 'slot_per_labeled_image', False):
        return None
    return Holder('model.memory.size', cast(dict, memory), 'size', False)


def _bank_size_in(content: Any) -> int | None:
    labels = arrays_in(content).get(_BANK_LABELS)
    return None if labels is None else len(labels)


def _nothing_to_follow(key: str, checkpoint: str | None, has_data: bool) -> str:
    where = f'{checkpoint!r} has no classifier' if checkpoint else 'there is no checkpoint'
    where += ' and the training set has no classes' * has_data
    return (
        f'{key} is not set, and {where}: set {key}=... to the number of your classes '
        '(--cfg-options, or cfg_options in Python)'
    )
