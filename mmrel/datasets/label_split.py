"""Low-shot training on a subset of the labels, which a readable text file lists.

The list has one line per image: the image's name, its class index and its class
name, separated by tabs. Lines at the top that start with ``#`` are comments. An
image file is named by its path relative to the dataset's folder, an image in an
array by its row.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmpretrain.datasets import BaseDataset

from mmrel.utils.checks import check_count
from mmrel.utils.mixin import Mixin

from .class_names import follow_stated_order

_TOOL = 'tools/dataset_converters/make_label_split.py'


class LabeledImage(NamedTuple):
    """A line of a list.

    Attributes:
        name (str): Name of the image.
        number (int): Class index.
        label (str): Class name.
    """

    name: str
    number: int
    label: str


def _describe(dataset: BaseDataset, info: dict, row: int) -> LabeledImage:
    """The line of a sample; an image without a class has index -1."""
    name = str(row)
    if 'img_path' in info:
        name = info['img_path'].removeprefix(dataset.img_prefix).lstrip('/')
    number = info.get('gt_label', -1)
    classes = dataset.CLASSES
    return LabeledImage(name, number, classes[number] if classes and number >= 0 else str(number))


def draw_label_split(
    dataset: BaseDataset,
    percent: float | None = None,
    seed: int = 0,
    per_class: int | None = None,
) -> list[LabeledImage]:
    """Draw the same number of images from every class.

    The draw depends on the seed and the images' names, but not on the order in
    which a file system lists them. A smaller draw with the same seed is a subset of
    a larger one.

    Args:
        dataset (BaseDataset): A dataset with classes and without a label split.
        percent (float, optional): Percentage of all images, in (0, 100]. It is
            rounded to a whole number of images per class, at least one.
        seed (int): The seed. Defaults to 0.
        per_class (int, optional): Instead of ``percent``, the number of images
            per class.

    Returns:
        list[LabeledImage]: Sorted by class, then name.

    Raises:
        ValueError: If not exactly one of ``percent`` and ``per_class`` is
            given, the value is out of range, an image has no class, or a class
            has too few images.
    """
    if (percent is None) == (per_class is None):
        raise ValueError(f'give exactly one of percent={percent} and per_class={per_class}')
    if percent is not None and not 0 < percent <= 100:
        raise ValueError(f'percent={percent} must be above 0 and at most 100')
    check_count(1, '', per_class=per_class)
    classes: dict[int, list[LabeledImage]] = {}
    for row in range(len(dataset)):
        image = _describe(dataset, dataset.get_data_info(row), row)
        if image.number < 0:
            raise ValueError(f'image {image.name!r} has no class: a label split needs all classes')
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
                f'{asked} needs {each} images per class, but class {images[0].label!r} has only '
                f'{len(images)}: ask for fewer'
            )
        order = np.random.default_rng([seed, number]).permutation(len(images))[:each]
        ordered = sorted(images)
        drawn += [ordered[i] for i in sorted(order)]
    return drawn


def format_label_split(drawn: Sequence[LabeledImage], remark: str) -> str:
    """Format a list as text.

    Args:
        drawn (Sequence[LabeledImage]): From :func:`draw_label_split`.
        remark (str): A comment for the first line.

    Returns:
        str: The text.

    Raises:
        ValueError: If a name contains a tab or a line break.
    """
    for image in drawn:
        if any(sign in text for text in (image.name, image.label) for sign in '\t\n\r'):
            raise ValueError(f'{image.name!r}: names in a list cannot contain tabs or line breaks')
    counts = Counter(image.number for image in drawn)
    head = [f'# {remark}', f'# {max(counts.values())} images of each of {len(counts)} classes']
    return '\n'.join([*head, *('\t'.join(map(str, image)) for image in drawn)]) + '\n'


def read_label_split(path: str) -> dict[str, LabeledImage]:
    """Read a list.

    Args:
        path (str): The file.

    Returns:
        dict[str, LabeledImage]: The lines by image name.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line is malformed, an image is listed twice, or the list is
            empty.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'label split {path!r} (dataset.label_split, without_split) does not exist; create it '
            f'with {_TOOL} CONFIG --percent ... (or --per-class ...)'
        )
    with open(path, encoding='utf-8') as file:
        lines = file.read().split('\n')
    split: dict[str, LabeledImage] = {}
    for place, line in enumerate(lines, 1):
        if not line or (line.startswith('#') and not split):
            continue
        parts = line.split('\t')
        if len(parts) != 3 or not parts[0] or not parts[1].isdecimal():
            raise ValueError(
                f'{path}, line {place}: {line!r} must be an image, its class index and its class '
                'name, separated by tabs'
            )
        image = LabeledImage(parts[0], int(parts[1]), parts[2])
        if image.name in split:
            raise ValueError(f'{path}, line {place}: {image.name!r} is listed twice')
        split[image.name] = image
    if not split:
        raise ValueError(f'label split {path!r} lists no images')
    return split


def _check_balance(path: str, split: dict[str, LabeledImage]) -> None:
    counts = Counter(image.number for image in split.values()).most_common()
    (most, high), (least, low) = counts[0], counts[-1]
    if high != low:
        raise ValueError(
            f'label split {path!r} is not balanced: {high} images of class {most}, {low} of class '
            f'{least}; if this is intended, set dataset.balanced=False'
        )


class LabelSplit(Mixin):
    """Mixin for datasets: keep only the images of a list, or leave them out.

    Args:
        label_split (str, optional): The list, from
            ``tools/dataset_converters/make_label_split.py``. Defaults to None:
            use all images.
        without_split (str, optional): A list of the images to leave out, such as
            held-out images that are the ``label_split`` of another dataset.
            Defaults to None: leave out none.
        balanced (bool): Whether ``label_split`` must have the same number of
            images in every class, as in low-shot training. Defaults to True.

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
                f'dataset.label_split={label_split!r} and without_split={without_split!r}: give '
                'only one'
            )
        self.label_split = label_split
        self.without_split = without_split
        self.balanced = balanced
        super().__init__(*args, **kwargs)

    def filter_data(self) -> list[dict]:
        """The samples in the list (or all others), in the dataset's order.

        Raises:
            ValueError: If the list does not match this dataset: it has an image that
                the dataset lacks or whose class differs, or a class has no image. Also
                if the list must be balanced and is not.
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
        self, path: str, split: dict[str, LabeledImage], found: dict[str, LabeledImage]
    ) -> None:
        where = f'label split {path!r}'
        missing = [name for name in split if name not in found]
        if missing:
            raise ValueError(
                f'{where} lists {len(missing)} images that the dataset does not have: '
                f'{", ".join(missing[:5])}'
            )
        # Compare names if there are any: the list may come from a folder with more
        # classes or in another order.
        named = any(image.label != str(image.number) for image in split.values())
        key = 'label' if self.CLASSES and named else 'number'
        for name, ours in found.items():
            theirs = split[name]
            if getattr(ours, key) != getattr(theirs, key):
                raise ValueError(
                    f'{where} gives {name!r} class {theirs.number} ({theirs.label}), but the '
                    f'dataset gives it class {ours.number} ({ours.label})'
                )
        there = {image.number for image in found.values()}
        without = [c for i, c in enumerate(self.CLASSES or ()) if i not in there]
        if without:
            raise ValueError(
                f'{where} has no images of {len(without)} classes: {", ".join(without[:5])}'
            )
