"""FLOPs and parameters of a config's network."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from PIL import Image
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmrel.engine import inner_dataset
from mmrel.models.init.first_weights import NoFirstWeights
from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers
from mmrel.registry import MODELS, SEARCH_SPACES, TRANSFORMS
from mmrel.spaces.space import ArchPath, SearchSpace


def size_pipeline(cfg: Config) -> list[dict]:
    """The transforms that set the image size: those of the evaluation, else of the training.

    Raises:
        ValueError: If the config has neither loader.
    """
    for key in ('val_dataloader', 'train_dataloader'):
        if cfg.get(key):
            return list(inner_dataset(cfg[key].dataset)['pipeline'])
    raise ValueError(
        f'{cfg.filename} has neither val_dataloader nor train_dataloader, whose pipeline sets the '
        'image size'
    )


def image_size(cfg: Config) -> tuple[int, int]:
    """Height and width of the images that a config evaluates on.

    Without evaluation: of the first training view.

    Raises:
        ValueError: If the config has no loader.
    """
    steps = size_pipeline(cfg)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'image.png'
        Image.new('RGB', (300, 260)).save(file)
        packed = Compose([TRANSFORMS.build(step) for step in steps])(dict(img_path=str(file)))
    inputs = packed['inputs']
    view = inputs[0] if isinstance(inputs, list) else inputs
    return tuple(view.shape[-2:])


def costliest(space: SearchSpace) -> ArchPath:
    """The path with the most FLOPs, found by changing one choice at a time."""
    sizes = [len(options) for options in space.choices.values()]
    best = np.array([[size - 1 for size in sizes]])
    while True:
        before = best
        for column, size in enumerate(sizes):
            draws = best.repeat(size, axis=0)
            draws[:, column] = np.arange(size)
            top = space.flops(draws)
            if top.max() > space.flops(best)[0]:
                best = draws[top.argmax()][None]
        if (before == best).all():
            return space.paths(best)[0]


def count_flops(backbone: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-accumulates of a backbone for one image: convolutions, linear layers, attention.

    Unlike mmengine's FlopAnalyzer, it computes no values and counts fused attention.

    Args:
        backbone (nn.Module): The network; its weights are lost.
        size (tuple[int, int]): Height and width of the image.
    """
    backbone.eval()
    backbone.to('meta')
    counter = FlopCounterMode(display=False)
    # Only this attention kernel consists of matrix products, which are counted.
    with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        backbone(torch.zeros(1, 3, *size, device='meta'))
    return counter.get_total_flops() // 2


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def complexity(cfg: Config) -> dict[str, int]:
    """FLOPs and parameters of a config's backbone, without neck and head.

    A supernet's FLOPs are those of its costliest path; its parameters are all parameters
    of the supernet's backbone.

    Args:
        cfg (Config): A config with a loader, whose pipeline sets the image size.

    Returns:
        dict[str, int]: FLOPs, the multiply-accumulates for one image of the size that the
        config evaluates on, and Parameters.
    """
    size, model = image_size(cfg), cfg.model.to_dict()
    # Numbers that the data would set; heads and memories are not counted.
    complete_numbers(model, None, lambda: DataNumbers(classes=10))
    with NoFirstWeights():
        if 'space' not in model:
            backbone = MODELS.build(model['backbone'])
            return dict(FLOPs=count_flops(backbone, size), Parameters=_count(backbone))
        space = SEARCH_SPACES.build(model['space'])
        subnet = MODELS.build(space.subnet(costliest(space))['backbone'])
        model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        supernet = MODELS.build(model).backbone
        return dict(FLOPs=count_flops(subnet, size), Parameters=_count(supernet))
