"""Run a trained model on a user's images: reading, batches, errors, progress."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from torch import nn
from torch.utils.data import DataLoader

from mmrel.datasets.decoded_cache import check_cache
from mmrel.datasets.folder_scan import shown
from mmrel.datasets.image_file import BrokenImageError
from mmrel.datasets.image_formats import check_extensions
from mmrel.datasets.image_list import (
    ImageInput,
    ImageList,
    ImageListDataset,
    ReadImages,
    collate_read,
)
from mmrel.datasets.transforms import LoadImage
from mmrel.engine.distributed import unwrap
from mmrel.registry import TRANSFORMS
from mmrel.utils.weights import load_weights

from .features import check_view
from .half_precision import usable_dtype
from .outputs import check_output, output_network
from .zoo import get_model, usable_device

_SECONDS_BETWEEN_LINES = 30


@dataclass
class ImageRows:
    """A model's outputs and their images.

    Attributes:
        values (ndarray): Outputs, float32, (N, C).
        rows (list[int]): The images' positions in the input list.
        paths (list[str | None]): Their paths; None for images in memory.
        broken (list[str]): Paths or positions of the images that were skipped.
    """

    values: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]


class _Rows:
    """Collects results in an array that is allocated once."""

    def __init__(self, images: ImageList) -> None:
        self.images = images
        self.rows: list[int] = []
        self.broken: list[int] = []
        self._values: np.ndarray | None = None

    def add(self, rows: list[int], values: np.ndarray) -> None:
        if self._values is None:
            self._values = np.empty((len(self.images), values.shape[1]), np.float32)
        self._values[len(self.rows) : len(self.rows) + len(rows)] = values
        self.rows += rows

    def finished(self) -> ImageRows:
        values = np.empty((0, 0), np.float32) if self._values is None else self._values
        return ImageRows(
            values=values[: len(self.rows)],
            rows=self.rows,
            paths=[self.images.path(row) for row in self.rows],
            broken=[self.images.names[row] for row in self.broken],
        )


def evaluation_pipeline(cfg: Config | None) -> list[dict]:
    """The pipeline that a config evaluates with.

    Args:
        cfg (Config, optional): The model's config.

    Returns:
        list[dict]: Configs of its transforms.

    Raises:
        ValueError: If there is no such pipeline.
    """
    settings = {} if cfg is None else cfg
    for part in ('val_dataloader', 'test_dataloader'):
        loader = settings.get(part) or {}
        if loader.get('dataset', {}).get('pipeline'):
            return loader['dataset']['pipeline']
    for name in ('val_pipeline', 'test_pipeline'):
        if settings.get(name):
            return settings[name]
    where = 'the model was built without a config' if cfg is None else 'the config has none'
    raise ValueError(
        f'no pipeline to read images with: {where}; set val_pipeline=[...] in the config, or pass '
        "pipeline=[...], such as [dict(type='LoadImage'), dict(type='CentralView', size=224, "
        "resize=256), dict(type='PackInputs')]"
    )


class ImageModel:
    """Base class of :class:`.FeatureExtractor` and :class:`.ImagePredictor`.

    Args:
        model (str | PathLike | Config | BaseModel): As for :func:`.get_model`,
            or an existing model, which is set to eval mode.
        pretrained (bool | str | PathLike): As for :func:`.get_model`. For an
            existing model, True or False keeps its weights. Defaults to True.
        device (str | torch.device, optional): The device. Defaults to None: a GPU
            if there is one; an existing model stays on its device.
        batch_size (int): Images per batch. Defaults to 64.
        num_workers (int): Processes that read images. Defaults to 0: read them in
            this process.
        pipeline (Sequence[dict | Callable], optional): Turns a file into packed
            inputs, one view of fixed size. Defaults to None: the config's
            evaluation pipeline.
        skip_broken (bool): Skip images that cannot be decoded, and log how many.
            Defaults to False.
        progress (bool): Show a progress bar on standard error. Defaults to True.
        cfg_options (dict, optional): As for :func:`.get_model`.
        extensions (str | Sequence[str], optional): Extensions of images in
            folders, such as '.webp,.png'. Defaults to None: every format that the
            installed Pillow reads.
        teacher (bool): Use the momentum teacher's network (ReSSL, SimMatch).
            Defaults to False: the student's.
        dtype (str): 'float32', or 'bfloat16' or 'float16' for autocast; results
            are always float32. Defaults to 'float32'.
        channels_last (bool): Keep weights and images in the channels-last memory
            format, which is faster on many devices. Defaults to False.
        cache (str | bool): Keep the decoded images of a folder in a file, shared with
            training on that folder: 'auto' (large sets of small images), True or False,
            as for :class:`.DecodedCache`. Defaults to 'auto'.

    Raises:
        ValueError: If a number is out of range, the model does not have the
            output, the device does not support ``dtype``, or there is no pipeline.
        Exception: Any error of :func:`.get_model`.
    """

    # A name that :func:`.output_network` accepts.
    output: str

    def __init__(
        self,
        model: str | os.PathLike | Config | BaseModel,
        pretrained: bool | str | os.PathLike = True,
        device: str | torch.device | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        pipeline: Sequence[dict | Callable] | None = None,
        skip_broken: bool = False,
        progress: bool = True,
        cfg_options: dict | None = None,
        extensions: str | Sequence[str] | None = None,
        teacher: bool = False,
        dtype: str = 'float32',
        channels_last: bool = False,
        cache: str | bool = 'auto',
    ) -> None:
        if batch_size < 1 or num_workers < 0:
            raise ValueError(
                f'batch_size={batch_size} must be positive, and num_workers={num_workers} must not '
                'be negative'
            )
        if isinstance(model, nn.Module):
            self.model = self._built(model, pretrained, device, cfg_options)
        else:
            device = usable_device(device or get_device())
            usable_dtype(dtype, device)  # check before reading the weights
            self.model = get_model(model, pretrained, device, cfg_options)
        check_output(self.model, self.output, teacher)
        self.autocast_dtype = usable_dtype(dtype, self.device)
        if pipeline is None:
            pipeline = evaluation_pipeline(getattr(self.model, '_config', None))
        self.pipeline = Compose(
            [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        )
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.skip_broken = skip_broken
        self.extensions = check_extensions(extensions)
        self.progress = progress
        self.cache = check_cache(cache, 'cache')
        self.teacher = teacher
        self.channels_last = channels_last
        if channels_last:
            self.model.to(memory_format=torch.channels_last)

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return next(self.model.parameters()).device

    @staticmethod
    def _built(
        model: nn.Module,
        pretrained: bool | str | os.PathLike,
        device: str | torch.device | None,
        cfg_options: dict | None,
    ) -> BaseModel:
        if cfg_options:
            raise ValueError(
                'cfg_options change a config, but this model is already built: leave them out'
            )
        model = unwrap(model)
        if not isinstance(pretrained, bool):
            load_weights(model, os.fspath(pretrained))
        return (model if device is None else model.to(usable_device(device))).eval()

    def _result(self, rows: ImageRows) -> Any:
        """The result that the user gets for finished rows."""
        raise NotImplementedError

    def _run(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> Any:
        """Compute the output for all images.

        Args:
            inputs (str | PathLike | ndarray | Image.Image | Iterable | ImageList):
                As for :class:`.ImageList`.

        Returns:
            Any: From :meth:`_result`, in the order of the inputs.

        Raises:
            BrokenImageError, FileNotFoundError, ValueError, TypeError: As for
                :meth:`.FeatureExtractor.extract`.
        """
        if isinstance(inputs, ImageList):
            images = inputs
        else:
            images = ImageList(inputs, self.extensions, self.skip_broken)
        first = self.pipeline.transforms[0] if self.pipeline.transforms else None
        if images.in_memory and not isinstance(first, LoadImage):
            raise ValueError(
                'arrays and Pillow images need a pipeline that starts with LoadImage; this one '
                f'starts with {first}'
            )
        rows = _Rows(images)
        try:
            self._fill(rows)
        except BaseException as error:
            finished = self._result(rows.finished())
            error.finished = finished  # type: ignore[attr-defined]
            raise
        result = rows.finished()
        if result.broken:
            names = shown(result.broken)
            if not result.rows:
                raise BrokenImageError(f'none of the {len(images)} images can be decoded: {names}')
            count = f'{len(result.broken)} of {len(images)} images because they cannot be decoded'
            print_log(f'skipped {count}: {names}', logger='current', level=logging.WARNING)
        return self._result(result)

    @torch.no_grad()
    def _compute(self, network: nn.Module, batch: dict) -> np.ndarray:
        """The output for a batch with one view per image: float32, (B, C), on the CPU."""
        check_view(batch)
        inputs = self.model.data_preprocessor(batch, False)['inputs']
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        half = self.autocast_dtype != torch.float32
        with torch.autocast(self.device.type, self.autocast_dtype) if half else nullcontext():
            values = network(inputs)
        return values.float().cpu().numpy()

    def _fill(self, rows: _Rows) -> None:
        """Compute the outputs for all images of ``rows`` and add them to it."""
        self.model.eval()
        network = output_network(self.model, self.output, self.teacher)
        batches = -(-len(rows.images) // self.batch_size)
        loader = DataLoader(
            ImageListDataset(rows.images, self.pipeline, self.cache),
            batch_size=self.batch_size,
            num_workers=min(self.num_workers, batches),
            collate_fn=collate_read,
            pin_memory=self.device.type == 'cuda',
        )
        with Progress(
            *Progress.get_default_columns(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            disable=not self.progress,
        ) as bar:
            task = bar.add_task(self.output, total=len(rows.images))
            # If the output is not a terminal, the bar appears only at the end.
            silent, said = self.progress and not bar.console.is_terminal, time.monotonic()
            for batch in loader:
                if batch.rows:
                    rows.add(batch.rows, self._compute(network, batch.data))
                self._note_broken(batch, rows)
                bar.advance(task, len(batch.rows) + len(batch.broken))
                if silent and time.monotonic() - said > _SECONDS_BETWEEN_LINES:
                    said = time.monotonic()
                    count = f'{len(rows.rows)} of {len(rows.images)}'
                    print_log(f'{self.output} of {count} images', logger='current')

    def _note_broken(self, batch: ReadImages, rows: _Rows) -> None:
        for row, reason in batch.broken.items():
            if not self.skip_broken:
                raise BrokenImageError(
                    f'image {rows.images.names[row]!r} cannot be decoded ({reason}); repair or '
                    'remove it, or skip broken images with skip_broken=True (--skip-broken)'
                )
            rows.broken.append(row)
