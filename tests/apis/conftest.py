"""Images, a checkpoint and its model for the tests of the extraction."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from mmrel.apis import FeatureExtractor, get_model
from tests.commands import TINY, call, folders
from tests.images import make_folder

# (width, height): larger and smaller than the views, in both directions.
SIZES = [(32, 32), (64, 48), (48, 64), (100, 40), (20, 20), (16, 24), (33, 47)]


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of several sizes and kinds, some in sub-folders, and files that are none."""
    root = tmp_path_factory.mktemp('images')
    draw = np.random.default_rng(0)
    for i, (width, height) in enumerate(SIZES * 3):
        folder = root / ['.', 'b', 'a/deep'][i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        if i == 4:
            image = image.convert('L')
        image.save(folder / f'{i:02}.{["png", "JPG", "bmp"][i % 3]}')
    (root / 'notes.txt').write_text('no image')
    return root


@pytest.fixture(scope='module')
def paths(images: Path) -> list[str]:
    found = [p for p in images.rglob('*') if p.is_file() and p.suffix != '.txt']
    return sorted(str(p) for p in found)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of training, by the command."""
    work_dir = tmp_path_factory.mktemp('trained')
    data = make_folder(work_dir / 'data', classes=3, each=8)
    call('train.py', TINY, '--work-dir', work_dir, *folders(data), 'train_cfg.max_epochs=1')
    return work_dir / 'epoch_1.pth'


@pytest.fixture(scope='module')
def model(checkpoint: Path) -> nn.Module:
    return get_model(TINY, checkpoint)


@pytest.fixture(scope='module')
def extractor(model: nn.Module) -> FeatureExtractor:
    return FeatureExtractor(model, batch_size=4, progress=False)


@pytest.fixture
def with_broken(paths: list[str], tmp_path: Path) -> list[str]:
    """The images, two of them broken: places 6 and 13."""
    cut = tmp_path / 'cut.png'
    cut.write_bytes(Path(next(p for p in paths if p.endswith('.png'))).read_bytes()[:200])
    text = tmp_path / 'text.jpg'
    text.write_text('no image')
    return [*paths[:6], str(cut), *paths[6:12], str(text), *paths[12:]]
