"""Fixtures shared by the tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

import mmrel  # noqa: F401

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture
def mmrel_scope() -> None:
    init_default_scope('mmrel')


@pytest.fixture(scope='session')
def real_images() -> Path:
    """The folder of real images, or a skip."""
    root = os.environ.get('MMREL_TEST_DATA')
    if not root:
        pytest.skip('MMREL_TEST_DATA is not set: it names the folder with cifar10_jpeg')
    return Path(root)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a folder of random JPEGs, one sub-folder a class."""

    def make(name: str = 'images', classes: int = 3, each: int = 8, px: int = 32) -> Path:
        draw = np.random.default_rng(0)
        root = tmp_path / name
        for c in range(classes):
            (root / f'class{c}').mkdir(parents=True)
            for i in range(each):
                # A colour of its own for each class, so that there is something to learn.
                noise = draw.integers(0, 120, (px, px, 3))
                noise[..., c % 3] += 120
                Image.fromarray(noise.astype(np.uint8)).save(root / f'class{c}' / f'{i:03}.jpg')
        return root

    return make


@pytest.fixture
def quiet_hub() -> Iterator[None]:
    """mmengine's loggers and hubs are global; forget them afterwards."""
    yield
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.visualization import Visualizer

    for kind in (MessageHub, MMLogger, Visualizer):
        kind._instance_dict.clear()
