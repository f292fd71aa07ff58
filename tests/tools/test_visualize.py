"""tools/visualize.py on images without classes."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.figure
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
    with Image.open(out / 'neighbors.png') as image:
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


@pytest.mark.slow
def test_a_file_with_only_the_backbone_is_enough(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    published = tmp_path / 'published.pth'
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    backbone = {key: value for key, value in state.items() if key.startswith('backbone.')}
    torch.save(dict(state_dict=backbone, meta={}), published)
    _draw(checkpoint, images, tmp_path / 'whole')
    _draw(published, images, tmp_path / 'backbone')
    pictures = [(tmp_path / name / 'tsne.png').read_bytes() for name in ('whole', 'backbone')]
    assert pictures[0] == pictures[1]
    with pytest.raises(RuntimeError, match=r'missing in the checkpoint: .*neck'):
        _draw(published, images, tmp_path / 'teacher', '--teacher')


@pytest.mark.slow
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


def _unlabeled_run(images: Path, *more: str) -> list[str]:
    """Options of a run that has no labels, and hence nothing to validate."""
    return [
        '--cfg-options', f'train_dataloader.dataset.data_root={images}',
        'train_dataloader.dataset.with_label=False', 'val_dataloader=None', 'val_evaluator=None',
        'val_cfg=None', *more,
    ]  # fmt: skip


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of a run without labels."""
    work_dir = tmp_path_factory.mktemp('runs') / 'unlabeled'
    call('train.py', TINY, '--work-dir', work_dir, *_unlabeled_run(images))
    return work_dir


def test_a_run_without_labels(
    images: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: dict[str, list] = {}
    save = matplotlib.figure.Figure.savefig

    def recorded(self: matplotlib.figure.Figure, out: Path, **kwargs: Any) -> None:
        saved[Path(out).name] = self.axes
        save(self, out, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, 'savefig', recorded)
    output = call(
        'visualize.py', TINY, trained / 'epoch_4.pth', '--work-dir', trained, '--out', tmp_path,
        '--max-images', 30, *_unlabeled_run(images),
    )  # fmt: skip
    names = ('curves.png', 'neighbors.png', 'tsne.png')
    assert [line for line in output.splitlines() if line.startswith('wrote ')] == [
        f'wrote {tmp_path / name}' for name in names
    ]
    (file,) = trained.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line['iter'] for line in lines] == list(range(2, 25, 2))  # 48 images in batches of 8
    (panel,) = saved['curves.png']  # no panel of accuracies
    latest, epochs = (line.get_xydata().tolist() for line in panel.lines)
    assert latest == [[line['iter'], line['loss']] for line in lines]
    assert epochs == [[line['iter'], line['loss_epoch']] for line in lines[2::3]]
    # 10 queries with 8 neighbors each; a point for each image.
    assert len(saved['neighbors.png']) == 10 * 9
    (points,) = saved['tsne.png'][0].collections
    assert len(points.get_offsets()) == 30
    assert not _frames(tmp_path)


def test_the_curves_are_drawn_before_the_images_are_looked_for(
    images: Path, trained: Path, tmp_path: Path
) -> None:
    config, out = tmp_path / 'without_pipeline.py', tmp_path / 'out'
    config.write_text(f'_base_ = [{str(TINY)!r}]\nval_pipeline = None\n')
    output = call(
        'visualize.py', config, trained / 'epoch_4.pth', '--work-dir', trained, '--out', out,
        *_unlabeled_run(images), fails=True,
    )  # fmt: skip
    assert output.startswith(f'wrote {out / "curves.png"}')
    assert 'the config has none; set val_pipeline=[...] in the config' in output
    assert [file.name for file in out.iterdir()] == ['curves.png']


@pytest.mark.slow
def test_the_training_images_keep_their_classes(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    call(
        'visualize.py', TINY, checkpoint, '--out', tmp_path, '--max-images', 12,
        *_unlabeled_run(images, 'train_dataloader.dataset.with_label=True'),
    )  # fmt: skip
    assert _frames(tmp_path)
