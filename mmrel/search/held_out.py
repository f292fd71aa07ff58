"""Held-out images, on which many networks are scored."""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader

from mmrel.models.utils.precision import at_least_float32

_MB = 2**20


def dataset_digest(dataset: BaseDataset) -> str:
    """Hash of a set's images: their paths relative to its folder, and their labels.

    Args:
        dataset (BaseDataset): The set. If its images are in arrays, only the labels count.

    Returns:
        str: 16 hexadecimal digits.
    """
    digest = hashlib.sha256(str(len(dataset)).encode())
    read: Callable[[int], dict] = getattr(dataset, 'get_data_info', lambda _: {})
    prefix = getattr(dataset, 'img_prefix', '')
    for i in range(len(dataset)):
        info = read(i)
        name = str(info.get('img_path', '')).removeprefix(prefix)
        digest.update(f'{name}\t{info.get("gt_label")}\n'.encode())
    return digest.hexdigest()[:16]


class HeldOutImages:
    """Batches of images and labels, decoded only once if they fit in memory.

    They are cached as the loader returns them (uint8), in CPU memory. The data
    preprocessor moves them to the device.

    Args:
        loader (DataLoader): The loader, from
            :func:`mmrel.engine.plain_loader.whole_loader`.
        cache (str | bool): True: cache the images. False: decode them for every
            network. 'auto': cache them if they fit. Defaults to 'auto'.
        limit_mb (float): Memory limit of 'auto' in MB. Defaults to 4096.

    Raises:
        ValueError: If ``cache`` has another value, or the set is empty.
    """

    def __init__(
        self, loader: DataLoader, cache: str | bool = 'auto', limit_mb: float = 4096
    ) -> None:
        if cache not in ('auto', True, False):
            raise ValueError(f"test_cfg.cache_images={cache!r} must be 'auto', True or False")
        dataset: BaseDataset = loader.dataset
        if len(dataset) == 0:
            raise ValueError('the held-out set (test_dataloader.dataset) has no images')
        self.loader, self.dataset = loader, dataset
        self.cache, self.limit = cache, limit_mb * _MB
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._complete = False

    def __len__(self) -> int:
        """Number of images."""
        return len(self.dataset)

    def first(self, number: int) -> list[Tensor]:
        """The set's first images, each (3, H, W). If there are fewer, the last one is repeated."""
        rows = [self.dataset[min(i, len(self) - 1)] for i in range(number)]
        return list(self._packed(self.loader.collate_fn(rows))[0])

    def digest(self) -> str:
        """See :func:`dataset_digest`."""
        return dataset_digest(self.dataset)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, 3, H, W), before the data preprocessor, and labels (B,)."""
        if self._complete:
            yield from self._kept
            return
        keep, size, kept = bool(self.cache), 0, []
        for batch in self.loader:
            images, labels = self._packed(batch)
            yield images, labels
            if not keep:
                continue
            size += images.nbytes
            kept.append((self._pinned(images), self._pinned(labels)))
            if self.cache == 'auto' and size > self.limit:
                print_log(
                    f'the held-out images do not fit in {self.limit / _MB:g} MB: decoding them '
                    'for every path (see test_cfg.cache_limit_mb and test_cfg.cache_images)',
                    logger='current',
                    level=30,
                )
                keep, kept, self.cache = False, [], False
        if keep:
            self._kept, self._complete = kept, True

    @staticmethod
    def _pinned(tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if get_device() == 'cuda' else tensor

    @staticmethod
    def _packed(batch: dict) -> tuple[Tensor, Tensor]:
        images, samples = batch['inputs'], batch['data_samples']
        if any('gt_label' not in sample for sample in samples):
            raise ValueError('the held-out set has no labels: use one with classes')
        if not isinstance(images, Tensor):
            images = torch.stack(list(images))
        return images, torch.cat([sample.gt_label for sample in samples])


class PathScore(NamedTuple):
    """How well a path classifies the held-out images.

    Attributes:
        accuracy (float): Top-1 accuracy in percent.
        loss (float): Mean cross entropy. Unlike the accuracy, it rarely has ties.
    """

    accuracy: float
    loss: float


@torch.inference_mode()
def path_score(
    model: BaseModel,
    path: dict,
    images: HeldOutImages,
    autocast: bool = False,
    each_batch: Callable[[], None] = lambda: None,
) -> PathScore:
    """Accuracy and loss of a supernet's path, averaged over its sides.

    Args:
        model (BaseModel): The supernet, in evaluation mode. Its
            ``path_logits(inputs, path)`` returns logits (S, B, classes).
        path (dict): The path.
        images (HeldOutImages): The images.
        autocast (bool): Whether to use bf16 autocast. Defaults to False.
        each_batch (Callable): Called after every batch. Defaults to a no-op.

    Returns:
        PathScore: Accuracy in percent, and mean cross entropy.
    """
    correct: Tensor | int = 0
    loss: Tensor | float = 0.0
    sides = 1
    for inputs, labels in images:
        inputs = model.data_preprocessor(dict(inputs=inputs), False)['inputs']
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=autocast):
            logits = model.path_logits(inputs, path)
        # Kept on the device: they are read once per path.
        labels = labels.to(logits.device, non_blocking=True)
        correct = correct + (logits.argmax(dim=-1) == labels).sum()
        sides = len(logits)
        flat = at_least_float32(logits.flatten(0, 1))
        loss = loss + F.cross_entropy(flat, labels.repeat(sides), reduction='sum')
        each_batch()
    number = len(images) * sides
    return PathScore(100 * int(correct) / number, float(loss) / number)


def path_accuracy(
    model: BaseModel,
    path: dict,
    images: HeldOutImages,
    autocast: bool = False,
    each_batch: Callable[[], None] = lambda: None,
) -> float:
    """Top-1 accuracy in percent: that of :func:`path_score`."""
    return path_score(model, path, images, autocast, each_batch).accuracy
