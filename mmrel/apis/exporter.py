"""Export trained networks to torch.export and ONNX, with a dynamic batch size."""

import copy
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmrel.engine.distributed import unwrap
from mmrel.registry import TRANSFORMS
from mmrel.utils.files import write_atomically
from mmrel.utils.weights import load_weights
from mmrel.version import __version__

from .image_model import evaluation_pipeline
from .output_files import check_ending, check_writable
from .outputs import check_output, output_network
from .predictor import known_classes
from .zoo import get_model

ENDINGS = ('.onnx', '.pt2')
_TOLERANCE = 1e-4
_CHECKED_BATCHES = (1, 3)


@dataclass
class ExportReport:
    """Result of an export.

    Attributes:
        path (str): The file.
        metadata (dict): The metadata in the file.
        difference (float, optional): The largest difference from torch's output,
            relative to the largest output, over batches of 1 and 3 random images;
            None if onnxruntime is not installed.
    """

    path: str
    metadata: dict[str, Any]
    difference: float | None = field(default=None)


class _Exported(nn.Module):
    """A network, optionally with the data preprocessor in front of it."""

    def __init__(self, network: nn.Module, preprocessor: nn.Module | None) -> None:
        super().__init__()
        self.network = network
        self.swap, mean, std = False, None, None
        if preprocessor is not None:
            self.swap = _swaps_channels(preprocessor)
            mean, std = _normalization(preprocessor)
        self.mean: Tensor | None
        self.std: Tensor | None
        self.register_buffer('mean', None if mean is None else mean.clone())
        self.register_buffer('std', None if std is None else std.clone())

    def forward(self, images: Tensor) -> Tensor:
        images = images.float()
        if self.swap:
            images = images.flip(1)
        if self.mean is not None and self.std is not None:
            images = (images - self.mean) / self.std
        return self.network(images)


def _swaps_channels(preprocessor: nn.Module) -> bool:
    """Whether it swaps red and blue; mmpretrain has two attributes for this."""
    return any(getattr(preprocessor, key, False) for key in ('to_rgb', '_channel_conversion'))


def _normalization(preprocessor: Any) -> tuple[Tensor | None, Tensor | None]:
    if not getattr(preprocessor, '_enable_normalize', False):
        return None, None
    return preprocessor.mean, preprocessor.std


def _check_packages(path: str) -> None:
    if not path.endswith('.onnx'):
        return
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path!r} needs onnx and onnxscript ({error}): pip install 'mmrel[export]', or write "
            'a .pt2 file'
        ) from error


def _model(
    model: str | os.PathLike | Config | BaseModel,
    pretrained: bool | str | os.PathLike,
    cfg_options: dict | None,
) -> BaseModel:
    """The model on the CPU, in eval mode; a built model is copied."""
    if not isinstance(model, nn.Module):
        return get_model(model, pretrained, cfg_options=cfg_options)
    if cfg_options:
        raise ValueError(
            'cfg_options change a config, but this model is already built: leave them out'
        )
    built = copy.deepcopy(unwrap(model)).to('cpu').eval()
    if not isinstance(pretrained, bool):
        load_weights(built, os.fspath(pretrained))
    return built


def _image_size(model: BaseModel, size: int | Sequence[int] | None) -> tuple[int, int]:
    """Height and width: as given, else the output size of the evaluation pipeline."""
    if size is None:
        steps = evaluation_pipeline(getattr(model, '_config', None))
        pipeline = Compose([TRANSFORMS.build(step) for step in steps])
        packed = pipeline(dict(img=np.zeros((64, 64, 3), np.uint8), sample_idx=0))
        return tuple(packed['inputs'].shape[-2:])
    numbers = (size, size) if isinstance(size, int) else tuple(size)
    if len(numbers) == 1:
        numbers *= 2
    if len(numbers) != 2 or any(not isinstance(n, int) or n < 1 for n in numbers):
        raise ValueError(f'size={size!r} must be one or two positive numbers of pixels')
    return numbers


def _random_images(count: int, size: tuple[int, int], preprocess: bool) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    if preprocess:
        return torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)
    return torch.randn(count, 3, *size, generator=generator)


def _to_pt2(program: Any, metadata: dict[str, Any]) -> tuple[bytes, Callable]:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={'mmrel.json': json.dumps(metadata)})
    return buffer.getvalue(), program.module()


def _to_onnx(program: Any, metadata: dict[str, Any]) -> tuple[bytes, Callable | None]:
    onnx_program: Any = torch.onnx.export(
        program,
        dynamo=True,
        input_names=['images'],
        output_names=[metadata['output']],
        verbose=False,
    )
    onnx_program.model.metadata_props['mmrel'] = json.dumps(metadata)
    content = onnx_program.model_proto.SerializeToString()
    try:
        import onnxruntime
    except ImportError:
        return content, None
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {'images': images.numpy()})[0])

    return content, run


@torch.no_grad()
def export_model(
    model: str | os.PathLike | Config | BaseModel,
    out: str | os.PathLike,
    pretrained: bool | str | os.PathLike = True,
    what: str = 'features',
    size: int | Sequence[int] | None = None,
    preprocess: bool = False,
    teacher: bool = False,
    cfg_options: dict | None = None,
) -> ExportReport:
    """Export a network that runs without mmrel, for batches of any size.

    The input is ``images``, RGB, (B, 3, H, W). Before the file is written, the
    exported network must reproduce torch's output for batches of 1 and 3 random
    images (ONNX: if onnxruntime is installed). The file contains a description in
    JSON: ONNX in its metadata under ``mmrel``, .pt2 in ``extra_files['mmrel.json']``.

    Args:
        model (str | PathLike | Config | BaseModel): As for :func:`.get_model`,
            or an existing model (it is not changed).
        out (str | PathLike): A .onnx or .pt2 file (``torch.export.load``).
        pretrained (bool | str | PathLike): As for :class:`.ImageModel`. Defaults
            to True.
        what (str): 'features' (pooled backbone features) or 'scores' (class
            probabilities). Defaults to 'features'.
        size (int | Sequence[int], optional): Height and width of the images.
            Defaults to None: the config's evaluation size.
        preprocess (bool): Take uint8 images from 0 to 255 and normalize them in
            the network. Defaults to False: take float32 images that are already
            normalized; ``mean`` and ``std`` are in the metadata.
        teacher (bool): Export the momentum teacher's network. Defaults to False.
        cfg_options (dict, optional): As for :func:`.get_model`.

    Returns:
        ExportReport: The file, its metadata, and the difference from torch.

    Raises:
        ValueError: If the file extension, the size or ``what`` is not valid, or the
            model does not have the requested output.
        ImportError: If an ONNX file is requested, but onnx or onnxscript is missing.
        RuntimeError: If torch cannot export the network, or the exported network
            gives a different output.
        Exception: Any error of :func:`.get_model`.
    """
    path = os.fspath(out)
    check_writable(path, ENDINGS, 'a network')
    _check_packages(path)
    built = _model(model, pretrained, cfg_options)
    check_output(built, what, teacher)
    height_width = _image_size(built, size)
    preprocessor = built.data_preprocessor
    if preprocess and getattr(preprocessor, 'pad_size_divisor', 1) > 1:
        raise ValueError(
            'preprocess=True cannot pad images: set data_preprocessor.pad_size_divisor=1'
        )
    exported = _Exported(
        output_network(built, what, teacher), preprocessor if preprocess else None
    ).eval()
    mean, std = _normalization(preprocessor)
    config = getattr(built, '_config', None)
    metadata = dict(
        mmrel_version=__version__,
        config=os.path.basename(config.filename)
        if config is not None and config.filename
        else None,
        model=type(built).__name__,
        network='teacher' if teacher else 'student',
        output=what,
        size=list(height_width),
        input='uint8 RGB, 0 to 255' if preprocess else 'float32 RGB, (x - mean) / std',
        mean=None if mean is None else mean.flatten().tolist(),
        std=None if std is None else std.flatten().tolist(),
        swaps_channels=_swaps_channels(preprocessor),
        classes=known_classes(built) if what == 'scores' else None,
    )
    example = _random_images(2, height_width, preprocess)
    try:
        program = torch.export.export(
            exported, (example,), dynamic_shapes=({0: torch.export.Dim('batch')},)
        )
        convert = _to_onnx if check_ending(path, ENDINGS, 'a network') == '.onnx' else _to_pt2
        content, run = convert(program, metadata)
    except Exception as error:  # torch raises all kinds of errors for code that it cannot trace
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RuntimeError(f'{type(built).__name__} cannot be exported: {reason}') from error
    difference = None
    if run is not None:
        images = [_random_images(count, height_width, preprocess) for count in _CHECKED_BATCHES]
        difference = max(_difference(exported(batch), run(batch)) for batch in images)
        if not difference <= _TOLERANCE:
            raise RuntimeError(
                f'{path!r} is not written: the exported network differs from torch by '
                f'{difference:.1e} of the largest output, more than {_TOLERANCE:.0e}'
            )
    write_atomically(content, path)
    return ExportReport(path, metadata, difference)


def _difference(expected: Tensor, given: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    if expected.shape != given.shape:
        return float('inf')
    return float((expected - given).abs().max() / expected.abs().max().clamp(min=1e-30))
