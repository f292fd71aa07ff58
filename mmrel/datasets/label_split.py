"""Low-shot training: a part of the labels, named by a list that people can read.

A list has a line for each image: its name, its class's number, its class's name,
with tabs between; lines at the top that start with ``#`` are remarks. The name of
an image file is its path below the data set's folder, that of an image in an array
its row.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmpretrain.datasets import BaseDataset

from mmrel.utils.mixin import Mixin

from .class_names import follow_stated_order

_TOOL = 'tools/dataset_converters/make_label_split.py'


class LabelledImage(NamedTuple):
    """A line of a list.

    Attributes:
        name (str): The image.
        number (int): Its class.
        label (str): That class's name.
    """

    name: str
    number: int
    label: str


def _describe(dataset: BaseDataset, info: dict, row: int) -> LabelledImage:
    """The line of a sample; an image without a class has number -1."""
    name = str(row)
    if 'img_path' in info:
        name = info['img_path'].removeprefix(dataset.img_prefix).lstrip('/')
    number = info.get('gt_label', -1)
    classes = dataset.CLASSES
    return LabelledImage(name, number, classes[number] if classes and number >= 0 else str(number))


def draw_label_split(
    dataset: BaseDataset,
    percent: float | None = None,
    seed: int = 0,
    per_class: int | None = None,
) -> list[LabelledImage]:
    """Draw the same number of images of every class.

    Which ones follows from the seed and the images' names, not from the order
    in which a file system lists them. A smaller draw of the same seed is a part
    of a larger one.

    Args:
        dataset (BaseDataset): With classes, and without a split of its own.
        percent (float, optional): Share of all images, over 0 to 100; rounded
            to a whole number of images a class, one at least.
        seed (int): The seed. Defaults to 0.
        per_class (int, optional): Instead of ``percent``, the number of images
            of each class.

    Returns:
        list[LabelledImage]: Sorted by class, then name.

    Raises:
        ValueError: If not exactly one of ``percent`` and ``per_class`` is
            given, it is out of range, an image has no class, or a class has too
            few images.
    """
    if (percent is None) == (per_class is None):
        raise ValueError(f'give one of percent={percent} and per_class={per_class}')
    if percent is not None and not 0 < percent <= 100:
        raise ValueError(f'percent={percent} must be over 0 and at most 100')
    if per_class is not None and per_class < 1:
        raise ValueError(f'per_class={per_class} must be at least 1')
    classes: dict[int, list[LabelledImage]] = {}
    for row in range(len(dataset)):
        image = _describe(dataset, dataset.get_data_info(row), row)
        if image.number < 0:
            raise ValueError(f'image {image.name!r} has no class: a label split needs those of all')
        classes.setdefault(image.number, []).append(image)
    if per_class is not None:
        each, asked = per_class, f'per_class={per_class}'
    else:
        assert percent is not None
        each, asked = max(1, round(len(dataset) * percent / 100 / len(classes))), f'{percent}%'
    drawn = []
    for number, images in sorted(classes.items()):
        if len(images) < each:
            raise ValueError(
                f'{asked}: {each} images a class, but class {images[0].label!r} has only '
                f'{len(images)}: ask for fewer'
            )
        order = np.random.default_rng([seed, number]).permutation(len(images))[:each]
        ordered = sorted(images)
        drawn += [ordered[i] for i in sorted(order)]
    return drawn


def format_label_split(drawn: Sequence[LabelledImage], remark: str) -> str:
    """The text of a list.

    Args:
        drawn (Sequence[LabelledImage]): From :func:`draw_label_split`.
        remark (str): A line for its top.

    Returns:
        str: The text.

    Raises:
        ValueError: If a name has a tab or a line break in it.
    """
    for image in drawn:
        if any(sign in text for text in (image.name, image.label) for sign in '\t\n\r'):
            raise ValueError(f'{image.name!r}: a list cannot hold names with tabs or line breaks')
    counts = Counter(image.number for image in drawn)
    head = [f'# {remark}', f'# {max(counts.values())} images of each of {len(counts)} classes']
    return '\n'.join([*head, *('\t'.join(map(str, image)) for image in drawn)]) + '\n'


def read_label_split(path: str) -> dict[str, LabelledImage]:
    """Read a list.

    Args:
        path (str): The file.

    Returns:
        dict[str, LabelledImage]: The images by name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not as above, or an image is there twice.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'label split {path!r} (dataset.label_split, without_split) does not exist; write it '
            f'once with {_TOOL} CONFIG --percent ... (or --per-class ...)'
        )
    with open(path, encoding='utf-8') as file:
        lines = file.read().split('\n')
    split: dict[str, LabelledImage] = {}
    for place, line in enumerate(lines, 1):
        if not line or (line.startswith('#') and not split):
            continue
        parts = line.split('\t')
        if len(parts) != 3 or not parts[0] or not parts[1].isdecimal():
            raise ValueError(
                f'{path}, line {place}: {line!r} is not an image, the number and the name of its '
                'class, with tabs between'
            )
        image = LabelledImage(parts[0], int(parts[1]), parts[2])
        if image.name in split:
            raise ValueError(f'{path}, line {place}: {image.name!r} is there twice')
        split[image.name] = image
    if not split:
        raise ValueError(f'label split {path!r} names no image')
    return split


def _check_balance(path: str, split: dict[str, LabelledImage]) -> None:
    counts = Counter(image.number for image in split.values()).most_common()
    (most, high), (least, low) = counts[0], counts[-1]
    if high != low:
        raise ValueError(
            f'label split {path!r} is not balanced: {high} images of class {most}, {low} of class '
            f'{least}; set dataset.balanced=False where that is meant'
        )


class LabelSplit(Mixin):
    """Mixin for data sets: only the images that a list names.

    Args:
        label_split (str, optional): The list, from
            ``tools/dataset_converters/make_label_split.py``. Defaults to None:
            all images.
        without_split (str, optional): Such a list of the images to leave out:
            held-out ones, which ``label_split`` of another set names. Defaults
            to None: none.
        balanced (bool): The images of ``label_split`` must be as many in every
            class, as those of low-shot training are. Defaults to True.

    Raises:
        ValueError: If both lists are given.
    """

    def __init__(
        self,
        *args: Any,
        label_split: str | None = None,
        without_split: str | None = None,
        balanced: bool = True,
        **kwargs: Any,
    ) -> None:
        if label_split is not None and without_split is not None:
            raise ValueError(
                f'dataset.label_split={label_split!r} and without_split={without_split!r}: give one'
            )
        self.label_split = label_split
        self.without_split = without_split
        self.balanced = balanced
        super().__init__(*args, **kwargs)

    def filter_data(self) -> list[dict]:
        """The samples that the list names (or the others), in the data set's order.

        Raises:
            ValueError: If the list is not of this data set: an image of it is
                not there or has a class of another name, or a class has no image; or if
                it is not as balanced as it must be.
        """
        samples = super().filter_data()
        folders = getattr(self, 'folder_to_idx', None) or {}
        samples = follow_stated_order(samples, self.CLASSES, folders)
        path = self.label_split or self.without_split
        if path is None:
            return samples
        split = read_label_split(path)
        if self.balanced and self.label_split is not None:
            _check_balance(path, split)
        described = [_describe(self, info, row) for row, info in enumerate(samples)]
        found = {image.name: image for image in described if image.name in split}
        self._check(path, split, found)
        kept = self.label_split is not None
        pairs = zip(samples, described, strict=True)
        return [info for info, image in pairs if (image.name in split) is kept]

    def _check(
        self, path: str, split: dict[str, LabelledImage], found: dict[str, LabelledImage]
    ) -> None:
        where = f'label split {path!r}'
        missing = [name for name in split if name not in found]
        if missing:
            raise ValueError(
                f'{where} names {len(missing)} images that the data set does not have: '
                f'{", ".join(missing[:5])}'
            )
        # Without names, compare numbers: the list may belong to a folder with more
        # classes, or to one with another order.
        named = any(image.label != str(image.number) for image in split.values())
        key = 'label' if self.CLASSES and named else 'number'
        for name, ours in found.items():
            theirs = split[name]
            if getattr(ours, key) != getattr(theirs, key):
                raise ValueError(
                    f'{where} says that {name!r} is of class {theirs.number} ({theirs.label}), '
                    f'the data set says {ours.number} ({ours.label})'
                )
        there = {image.number for image in found.values()}
        without = [c for i, c in enumerate(self.CLASSES or ()) if i not in there]
        if without:
            raise ValueError(
                f'{where} has no image of {len(without)} classes: {", ".join(without[:5])}'
            )
