"""Features of images, for use outside of a training."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from torch.utils.data import DataLoader

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

from .features import view_features
from .zoo import get_model, usable_device

_SECONDS_BETWEEN_LINES = 30


@dataclass
class ExtractedFeatures:
    """Features, and which images they are of.

    Attributes:
        features (ndarray): Pooled, float32, (N, C).
        rows (list[int]): The images' places in the list that was asked for.
        paths (list[str | None]): Their paths; None for arrays.
        broken (list[str]): The paths that were left out.
    """

    features: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]


class _Rows:
    """Features as they come, in an array that is made once."""

    def __init__(self, images: ImageList) -> None:
        self.images = images
        self.rows: list[int] = []
        self.broken: list[int] = []
        self._features: np.ndarray | None = None

    def add(self, rows: list[int], features: np.ndarray) -> None:
        if self._features is None:
            self._features = np.empty((len(self.images), features.shape[1]), np.float32)
        self._features[len(self.rows) : len(self.rows) + len(rows)] = features
        self.rows += rows

    def finished(self) -> ExtractedFeatures:
        features = np.empty((0, 0), np.float32) if self._features is None else self._features
        return ExtractedFeatures(
            features=features[: len(self.rows)],
            rows=self.rows,
            paths=[self.images.path(row) for row in self.rows],
            broken=[self.images.path(row) for row in self.broken],
        )


def _evaluation_pipeline(cfg: Config | None) -> list[dict]:
    """The pipeline by which a config evaluates."""
    for part in ('val_dataloader', 'test_dataloader'):
        loader = (cfg or {}).get(part) or {}
        if loader.get('dataset', {}).get('pipeline'):
            return loader['dataset']['pipeline']
    for name in ('val_pipeline', 'test_pipeline'):
        if (cfg or {}).get(name):
            return cfg[name]
    where = 'the model was built without a config' if cfg is None else 'the config has none'
    raise ValueError(
        f'no pipeline to read images with: {where}; give pipeline=[...], such as '
        "[dict(type='LoadImage'), dict(type='CentralView', size=224, resize=256), "
        "dict(type='PackInputs')]"
    )


class FeatureExtractor:
    """Pooled backbone features of images: files, folders or arrays.

    Args:
        model (str | PathLike | Config | BaseModel): As in :func:`.get_model`,
            or a model that is there already; it is put into evaluation mode.
        pretrained (bool | str | PathLike): As in :func:`.get_model`. Of a
            model that is there already, True means as it is. Defaults to True.
        device (str | torch.device, optional): Defaults to None: a GPU where
            there is one; a model that is there already stays where it is.
        batch_size (int): Images at a time. Defaults to 64.
        num_workers (int): Processes that read images. Defaults to 0: none
            beside this one.
        pipeline (Sequence[dict | Callable], optional): From a file to packed
            inputs, one view of fixed size. Defaults to None: the config's
            pipeline for evaluation.
        skip_broken (bool): Leave out images that cannot be decoded, and log
            how many. Defaults to False.
        progress (bool): Show a bar, on standard error. Defaults to True.
        cfg_options (dict, optional): As in :func:`.get_model`.
        extensions (str | Sequence[str], optional): Extensions of images in
            folders, such as '.webp,.png'. Defaults to None: those of all formats
            that the installed Pillow reads.

    Raises:
        ValueError: If a number is out of range, the model has no backbone, or
            there is no pipeline.
        Whatever :func:`.get_model` raises.

    Example:
        >>> import numpy as np
        >>> from mmrel.apis import FeatureExtractor
        >>> extractor = FeatureExtractor('ressl_demo_digits', pretrained=False, progress=False)
        >>> extractor(np.zeros((2, 40, 50, 3), np.uint8)).shape
        (2, 128)
    """

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
    ) -> None:
        if batch_size < 1 or num_workers < 0:
            raise ValueError(
                f'batch_size={batch_size} must be positive, num_workers={num_workers} not negative'
            )
        if isinstance(model, torch.nn.Module):
            self.model = self._built(model, pretrained, device, cfg_options)
        else:
            self.model = get_model(model, pretrained, device or get_device(), cfg_options)
        for part in ('backbone', 'data_preprocessor'):
            if not hasattr(self.model, part):
                raise ValueError(f'{type(self.model).__name__} has no {part}')
        if pipeline is None:
            pipeline = _evaluation_pipeline(getattr(self.model, '_config', None))
        self.pipeline = Compose(
            [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        )
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.skip_broken = skip_broken
        self.extensions = check_extensions(extensions)
        self.progress = progress

    @staticmethod
    def _built(
        model: torch.nn.Module,
        pretrained: bool | str | os.PathLike,
        device: str | torch.device | None,
        cfg_options: dict | None,
    ) -> torch.nn.Module:
        if cfg_options:
            raise ValueError('cfg_options are for a config: this model is built already')
        model = unwrap(model)
        if not isinstance(pretrained, bool):
            load_weights(model, os.fspath(pretrained))
        return (model if device is None else model.to(usable_device(device))).eval()

    def __call__(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> np.ndarray:
        """The features alone.

        Args:
            inputs: As :meth:`extract`.

        Returns:
            ndarray: float32, (N, C), in the order of the inputs.
        """
        return self.extract(inputs).features

    def extract(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> ExtractedFeatures:
        """Features, and which images they are of.

        Args:
            inputs (str | PathLike | ndarray | Iterable | ImageList): As
                :class:`ImageList`: a path, a folder, an array, or several.

        Returns:
            ExtractedFeatures: In the order of the inputs.

        Raises:
            BrokenImageError: If an image cannot be decoded and broken ones are
                not left out, or none can be decoded. Like whatever else ends
                the extraction early (Ctrl-C too), it carries what was done
                until then as its attribute ``finished``.
            FileNotFoundError, ValueError, TypeError: If an input is not there
                or is no image, before the first one is read.
        """
        images = inputs
        if not isinstance(inputs, ImageList):
            images = ImageList(inputs, self.extensions, self.skip_broken)
        first = self.pipeline.transforms[0] if self.pipeline.transforms else None
        if images.has_arrays and not isinstance(first, LoadImage):
            raise ValueError(
                f'arrays need a pipeline that begins with LoadImage; this one begins with {first}'
            )
        rows = _Rows(images)
        try:
            self._fill(rows)
        except BaseException as error:
            error.finished = rows.finished()
            raise
        result = rows.finished()
        if result.broken:
            names = shown(result.broken)
            count = f'{len(result.broken)} broken of {len(images)} images'
            if not result.rows:
                raise BrokenImageError(f'none of {len(images)} images can be decoded: {names}')
            print_log(f'left out {count}: {names}', logger='current', level=30)
        return result

    def _fill(self, rows: _Rows) -> None:
        """Extract all images of ``rows`` into it."""
        self.model.eval()
        device = next(self.model.parameters()).device
        batches = -(-len(rows.images) // self.batch_size)
        loader = DataLoader(
            ImageListDataset(rows.images, self.pipeline),
            batch_size=self.batch_size,
            num_workers=min(self.num_workers, batches),
            collate_fn=collate_read,
            pin_memory=device.type == 'cuda',
        )
        with Progress(
            *Progress.get_default_columns(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            disable=not self.progress,
        ) as bar:
            task = bar.add_task('features', total=len(rows.images))
            # In a file of output the bar comes at the end only.
            silent, said = self.progress and not bar.console.is_terminal, time.monotonic()
            for batch in loader:
                if batch.rows:
                    rows.add(batch.rows, view_features(self.model, batch.data)[0].numpy())
                self._note_broken(batch, rows)
                bar.advance(task, len(batch.rows) + len(batch.broken))
                if silent and time.monotonic() - said > _SECONDS_BETWEEN_LINES:
                    said = time.monotonic()
                    count = f'{len(rows.rows)} of {len(rows.images)}'
                    print_log(f'features of {count} images', logger='current')

    def _note_broken(self, batch: ReadImages, rows: _Rows) -> None:
        for row, reason in batch.broken.items():
            if not self.skip_broken:
                raise BrokenImageError(
                    f'image {rows.images.path(row)!r} cannot be decoded ({reason}); mend or remove '
                    'it, or leave broken images out: skip_broken=True, --skip-broken'
                )
            rows.broken.append(row)
