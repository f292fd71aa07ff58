"""Fixtures shared by the tests."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Two test processes on two cores; commands and ranks inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# Decoded images and downloads of the tests do not belong in the user's folder.
os.environ['MMREL_HOME'] = tempfile.mkdtemp(prefix='mmrel_tests_')

import numpy as np
import pytest
import torch
import yapf.yapflib.yapf_api
from mmengine.registry import init_default_scope

import mmrel  # noqa: F401
from tests.images import make_folder as write_folder
from tests.process_state import mmengine_instances

torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))

# Configs are formatted for every checkpoint, which takes a quarter of a tiny run.
yapf.yapflib.yapf_api.FormatCode = lambda text, **_: (text, True)


# Started last, they would leave the other process idle.
_LONG_FILES = ('test_demo.py', 'test_kill_resume.py', 'test_wcl_parity.py', 'test_evaluation.py')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    items.sort(key=lambda item: item.path.name not in _LONG_FILES)


def pytest_collection_finish() -> None:
    """mmengine collects garbage for every data set: leave out all that was imported."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ['MMREL_HOME'], ignore_errors=True)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True, scope='module')
def _own_instances() -> Iterator[None]:
    """A logger whose file is closed, say, must not reach the next file's tests."""
    with mmengine_instances():
        yield


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


@pytest.fixture(scope='session')
def tables() -> Path:
    """The folder of the NAS benchmarks' tables: whole in MMREL_TEST_DATA, else 60 rows of each."""
    return Path(os.environ.get('MMREL_TEST_DATA') or Path(__file__).parent / 'data' / 'tables')


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a folder of random JPEGs, one sub-folder a class."""
    return lambda name='images', **sizes: write_folder(tmp_path / name, **sizes)


@pytest.fixture(scope='session')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 3 classes with 16 images each; not to be changed."""
    return write_folder(tmp_path_factory.mktemp('data') / 'images', classes=3, each=16)
