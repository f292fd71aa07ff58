"""Make two datasets use the same class indices, or raise an error."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

_SHOWN = 5


def class_names(dataset: Any) -> tuple[str, ...] | None:
    """The names of a dataset's classes, in the order of their indices.

    Args:
        dataset (Dataset): Any dataset.

    Returns:
        tuple[str, ...], optional: None if the classes have no names, or there are
        no labels.
    """
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    return tuple(map(str, names)) if names else None


def parts_of(dataset: Any) -> list:
    """The datasets inside a wrapper.

    Args:
        dataset (Dataset): Any dataset.

    Returns:
        list: Empty for a dataset that reads images itself.
    """
    if hasattr(dataset, 'datasets'):
        return list(dataset.datasets)
    names = ('dataset', 'labeled', 'unlabeled')
    return [getattr(dataset, name) for name in names if hasattr(dataset, name)]


def _labels(dataset: Any) -> Iterator[int]:
    """All labels of a dataset without class names."""
    parts = parts_of(dataset)
    for part in parts:
        yield from _labels(part)
    if parts or not hasattr(dataset, 'get_data_info'):
        return
    for row in range(len(dataset)):
        yield from np.atleast_1d(dataset.get_data_info(row).get('gt_label', ())).tolist()


def count_classes(dataset: Any) -> int | None:
    """The number of classes of a dataset: of its names, else its highest label plus one.

    Args:
        dataset (Dataset): Any dataset.

    Returns:
        int, optional: None if there are no labels.
    """
    names = class_names(dataset)
    return len(names) if names else (max(_labels(dataset), default=-1) + 1 or None)


def shorten(names: Collection[str]) -> str:
    """Shorten a list of names for a message: the first five and the count.

    Args:
        names (Collection[str]): The names.

    Returns:
        str: Such as ``'cat', 'dog'``.
    """
    shown = ', '.join(repr(name) for name in list(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f'{shown}, ... ({len(names)})'


def _renumbering(
    names: Sequence[str], reference: Sequence[str], what: str, whose: str, subset: bool
) -> list[int]:
    """The reference's index of each name, or an error that lists the differences."""
    number = {name: i for i, name in enumerate(reference)}
    there = set(names)
    extra = [name for name in names if name not in number]
    lacking = [name for name in reference if name not in there]
    if extra or (lacking and not subset):
        sides = ((what, extra), (whose, lacking))
        only = '; '.join(f'only {side}: {shorten(part)}' for side, part in sides if part)
        raise ValueError(
            f'{what} has {len(names)} classes and {whose} {len(reference)}, and their names '
            f'differ ({only}): rename the class folders, or use other images'
        )
    if len(there) < len(names) or len(number) < len(reference):
        raise ValueError(
            f'{what} and {whose} order their classes differently, and some classes share a name: '
            'set dataset.classes in the same order for both'
        )
    return [number[name] for name in names]


def _with_label(info: dict, table: Sequence[int]) -> dict:
    label = info.get('gt_label')
    if label is None:
        return info
    mapped = np.asarray(table)[label]
    return dict(info, gt_label=mapped if isinstance(label, np.ndarray) else mapped.tolist())


def _renumber(dataset: BaseDataset, table: Sequence[int]) -> None:
    """Replace each sample's label with its entry in ``table``, in place."""
    rows = range(len(dataset))
    # Call mmengine's own method: a subclass may add the image, which is not in the list.
    infos = [_with_label(BaseDataset.get_data_info(dataset, row), table) for row in rows]
    for info in infos:
        info.pop('sample_idx', None)
    dataset.data_list = infos
    if dataset.serialize_data:
        dataset.data_bytes, dataset.data_address = dataset._serialize_data()


def match_classes(
    dataset: Any, reference: Sequence[str], what: str, whose: str, subset: bool = True
) -> bool:
    """Renumber a dataset's classes in place to match a reference.

    Args:
        dataset (Dataset): An mmengine dataset, or a wrapper around one. A dataset
            without class names is not changed.
        reference (Sequence[str]): Class names in the order of their indices.
        what (str): Name of the dataset in messages.
        whose (str): Name of the reference's source in messages.
        subset (bool): Whether the dataset may lack classes. Defaults to True.

    Returns:
        bool: Whether the dataset was changed.

    Raises:
        ValueError: If the dataset has classes that the reference lacks, or (without
            ``subset``) the other way round; the message lists them. Also if the
            order differs and class names are not unique.
        TypeError: If the dataset must be renumbered and is not mmengine's.
    """
    names, reference = class_names(dataset), tuple(reference)
    if names is None or names == reference:
        return False
    table = _renumbering(names, reference, what, whose, subset)
    parts = parts_of(dataset)
    for part in parts:
        match_classes(part, reference, what, whose, subset)
    if not parts:
        if not isinstance(dataset, BaseDataset):
            raise TypeError(
                f'{what} ({type(dataset).__name__}) cannot be renumbered to the classes of '
                f'{whose}: order its classes as {shorten(reference)}'
            )
        _renumber(dataset, table)
    if hasattr(dataset, '_metainfo'):
        dataset._metainfo = dict(dataset._metainfo, classes=reference)
    print_log(
        f'{what} has {len(names)} of the {len(reference)} classes of {whose}: renumbered to match',
        logger='current',
    )
    return True


def follow_stated_order(samples: list[dict], stated: Any, folders: dict[str, int]) -> list[dict]:
    """Number samples in the order of ``classes`` if these are the folders' names.

    mmpretrain numbers folders alphabetically, whatever the order of ``classes``.
    That is correct only if the names differ from the folders' (such as readable
    names for ImageNet's folders).

    Args:
        samples (list[dict]): Samples whose ``gt_label`` is an index in ``folders``.
        stated (Sequence[str], optional): The class names in the config.
        folders (dict[str, int]): The index of each folder.

    Returns:
        list[dict]: The samples with their new labels.
    """
    by_number = sorted(folders, key=folders.__getitem__)
    if not stated or by_number == list(stated) or set(by_number) != set(stated):
        return samples
    table = [list(stated).index(name) for name in by_number]
    return [_with_label(info, table) for info in samples]
