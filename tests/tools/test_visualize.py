"""tools/visualize.py on images without classes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.apis import get_model
from tests.commands import TINY, call

FRAMES = ('1a7f37', 'c62828')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(dict(state_dict=get_model(TINY).state_dict(), meta={}), path)
    return path


def _frames(out: Path) -> set[str]:
    """The frames' colors in the picture of neighbors; the t-SNE map must be there too."""
    assert (out / 'tsne.png').stat().st_size > 5_000
    with Image.open(out / 'neighbours.png') as image:
        pixels = np.asarray(image.convert('RGB'))
    return {c for c in FRAMES if (pixels == list(bytes.fromhex(c))).all(-1).any()}


def _draw(checkpoint: Path, folder: Path, out: Path, *more: str, **kwargs: bool) -> str:
    return call(
        'visualize.py', TINY, checkpoint, '--out', out, '--max-images', 12, *more,
        '--cfg-options', f'val_dataloader.dataset.data_root={folder}', **kwargs,
    )  # fmt: skip


def test_a_folder_without_sub_folders_has_no_classes(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    plain = tmp_path / 'plain'
    plain.mkdir()
    for i, file in enumerate(sorted(images.rglob('*.jpg'))[::3]):
        shutil.copy(file, plain / f'{i}.jpg')
    out = tmp_path / 'out'
    assert f'wrote {out / "tsne.png"}' in _draw(checkpoint, plain, out, '--teacher')
    assert not _frames(out)


def test_unlabeled_ignores_the_classes_that_are_there(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    _draw(checkpoint, images, tmp_path / 'with')
    assert _frames(tmp_path / 'with')
    _draw(checkpoint, images, tmp_path / 'without', '--unlabeled')
    assert not _frames(tmp_path / 'without')


def test_unlabeled_is_for_folders(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='--unlabeled is for images in folders, not for Digits'):
        call(
            'visualize.py', 'configs/ressl/ressl_demo_digits.py', checkpoint, '--out', tmp_path,
            '--unlabeled',
        )  # fmt: skip
