"""A folder of small images, decoded once and kept in memory."""

from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample

from mmrel.registry import DATASETS
from mmrel.utils.checks import check_at_least, check_within

from .folders import ImageFolder
from .seeding import SampleIndex


@DATASETS.register_module()
class CachedImageFolder(ImageFolder):
    """An :class:`ImageFolder` whose images are decoded and resized once, when it is built.

    Use it where decoding would cost more than the training step. The pipeline runs
    once for each image, so it must not be random. In training, each access
    crops the padded image and flips it. The draws depend only on (seed, epoch, index).

    Args:
        padding (int): Largest shift of a crop in pixels; the border is filled by
            reflection. Defaults to 0.
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.
        **kwargs: As for :class:`ImageFolder`. With ``test_mode=True``, images are
            neither shifted nor flipped. The pipeline must end with ``PackInputs`` and
            give images of one size.

    Raises:
        ValueError: If a value is out of range, or the images differ in size.
    """

    def __init__(self, *args: Any, padding: int = 0, flip_prob: float = 0.0, **kwargs: Any) -> None:
        check_at_least(0, 'dataset', padding=padding)
        check_within('[0, 1]', 'dataset', flip_prob=flip_prob)
        self.padding, self.flip_prob = padding, flip_prob
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        """Load all samples and decode their images."""
        if self._fully_initialized:
            return
        super().full_init()
        packed = [self.pipeline(self.get_data_info(i)) for i in range(len(self))]
        shapes = {tuple(row['inputs'].shape) for row in packed}
        if len(shapes) > 1:
            raise ValueError(
                f'the pipeline of CachedImageFolder gives images of the shapes {sorted(shapes)}: '
                "add dict(type='CentralView', size=...) before PackInputs"
            )
        images = np.stack([row['inputs'].numpy() for row in packed])
        self._side = images.shape[-2:]
        pad = 0 if self.test_mode else self.padding
        edges = ((0, 0), (0, 0), (pad, pad), (pad, pad))
        self._images = torch.from_numpy(np.pad(images, edges, mode='reflect') if pad else images)
        self._labels = [int(row['data_samples'].get('gt_label', -1)) for row in packed]

    def _draws(self, index: int) -> tuple[int, int, bool]:
        """Top and left of the crop in the padded image, and whether to flip it."""
        if self.test_mode:
            return 0, 0, False
        entropy = (index.seed, index.epoch, int(index)) if isinstance(index, SampleIndex) else None
        words = np.random.SeedSequence(entropy).generate_state(3, np.uint64).tolist()
        shifts = 2 * self.padding + 1
        return words[0] % shifts, words[1] % shifts, words[2] < self.flip_prob * 2**64

    def __getitem__(self, idx: int) -> dict:
        """``inputs`` (3, H, W) uint8, and ``data_samples`` with the label."""
        self.full_init()
        top, left, flip = self._draws(idx)
        height, width = self._side
        image = self._images[int(idx), :, top : top + height, left : left + width]
        sample = DataSample()
        if self._labels[int(idx)] >= 0:
            sample.set_gt_label(self._labels[int(idx)])
        return dict(inputs=image.flip(-1) if flip else image, data_samples=sample)
