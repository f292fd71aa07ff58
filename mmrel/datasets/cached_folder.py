"""A folder of small images, each decoded once and kept in memory."""

from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample

from mmrel.registry import DATASETS
from mmrel.utils.checks import check_count, check_within

from .folders import ImageFolder
from .seeding import SampleIndex


@DATASETS.register_module()
class CachedImageFolder(ImageFolder):
    """An :class:`ImageFolder` whose images are decoded and resized at their first use only.

    Use it where decoding would cost more than the training step. The pipeline runs
    once for each image (in each worker), so it must not be random. In training, each access
    crops the padded image and flips it. The draws depend only on (seed, epoch, index); with a
    plain index, they are made from torch's generator.

    Args:
        padding (int): Largest shift of a crop in pixels; the border is filled by
            reflection. Defaults to 0.
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.
        **kwargs: As for :class:`ImageFolder`. With ``test_mode=True``, images are
            neither shifted nor flipped. The pipeline must end with ``PackInputs`` and
            give images of one size.

    Raises:
        ValueError: If a value is out of range or, at its first use, if an image has another
            size than the others.
    """

    def __init__(self, *args: Any, padding: int = 0, flip_prob: float = 0.0, **kwargs: Any) -> None:
        check_count(0, 'dataset', padding=padding)
        check_within('[0, 1]', 'dataset', flip_prob=flip_prob)
        self.padding, self.flip_prob = padding, flip_prob
        self._images: torch.Tensor | None = None
        self._made_by: Any = None
        super().__init__(*args, **kwargs)

    def _image(self, index: int) -> torch.Tensor:
        """The padded image, decoded at its first use, (3, H, W) uint8."""
        if self._made_by is not self.pipeline:  # a hook may replace it
            self._made_by, self._images = self.pipeline, None
        if self._images is None:
            self.full_init()
            self._labels = [self.get_data_info(i).get('gt_label', -1) for i in range(len(self))]
            self._decoded = np.zeros(len(self), dtype=bool)
        if self._images is None or not self._decoded[index]:
            info = self.read_info(index, self.pipeline)
            image = self.pipeline(info)['inputs'].numpy()
            pad = 0 if self.test_mode else self.padding
            edges = ((0, 0), (pad, pad), (pad, pad))
            image = torch.from_numpy(np.pad(image, edges, mode='reflect') if pad else image)
            if self._images is None:
                self._images = image.new_empty((len(self), *image.shape))
            elif self._images.shape[1:] != image.shape:
                raise ValueError(
                    f'the pipeline of CachedImageFolder gives {info["img_path"]!r} the shape '
                    f'{tuple(image.shape)} (with padding), but {tuple(self._images.shape[1:])} to '
                    "other images: add dict(type='CentralView', size=...) before PackInputs"
                )
            self._images[index] = image
            self._decoded[index] = True
        return self._images[index]

    def _draws(self, index: int) -> tuple[int, int, bool]:
        """Top and left of the crop in the padded image, and whether to flip it."""
        if self.test_mode:
            return 0, 0, False
        if isinstance(index, SampleIndex):
            entropy = index.seed, index.epoch, int(index)
        else:  # of a dataset around this one, which seeds torch's generator
            entropy = tuple(torch.randint(2**32, (3,)).tolist())
        words = np.random.SeedSequence(entropy).generate_state(3, np.uint64).tolist()
        shifts = 2 * self.padding + 1
        return words[0] % shifts, words[1] % shifts, words[2] < self.flip_prob * 2**64

    def __getitem__(self, idx: int) -> dict:
        """``inputs`` (3, H, W) uint8, and ``data_samples`` with the label."""
        index = int(idx)
        image = self._image(index)
        top, left, flip = self._draws(idx)
        pad = 0 if self.test_mode else 2 * self.padding
        image = image[:, top : top + image.shape[1] - pad, left : left + image.shape[2] - pad]
        sample = DataSample()
        if self._labels[index] >= 0:
            sample.set_gt_label(self._labels[index])
        # A copy: the sample may be changed in place, and a worker would send all images with it.
        return dict(inputs=image.flip(-1) if flip else image.clone(), data_samples=sample)
