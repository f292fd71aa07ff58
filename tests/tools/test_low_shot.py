"""make_label_split.py, and fine-tuning on what it wrote."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY_LOWSHOT, call, folders

TOOL = 'dataset_converters/make_label_split.py'


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A backbone as pre-training leaves one."""
    cfg = dict(Config.fromfile(TINY_LOWSHOT).model.backbone, init_cfg=None)
    state = {f'backbone.{k}': v for k, v in MODELS.build(cfg).state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'pretrained.pth')
    return tmp_path / 'pretrained.pth'


@pytest.mark.slow
def test_the_list_is_written_once_and_trained_on(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / 'lists' / 'quarter.txt'
    data = [*folders(images), f'train_dataloader.dataset.label_split={path}']
    output = call(TOOL, TINY_LOWSHOT, '--percent', 25, *data)
    assert f'{path}: 12 of 48 images' in output
    text = path.read_text()
    assert text.startswith(
        '# 25% of the labels of ImageFolder (48 images), seed 0\n# 4 images of each of 3 classes\n'
    )
    assert 'already exists' in call(TOOL, TINY_LOWSHOT, '--percent', 25, *data, fails=True)
    call(TOOL, TINY_LOWSHOT, '--percent', 25, '--seed', 1, '--out', tmp_path / 'other.txt', *data)
    assert (tmp_path / 'other.txt').read_text() != text
    assert path.read_text() == text

    call(
        'train.py', TINY_LOWSHOT, '--work-dir', tmp_path / 'w', *data,
        f'model.backbone.init_cfg.checkpoint={checkpoint}',
        'default_hooks.checkpoint.interval=20',
    )  # fmt: skip
    content = load_checkpoint_file(tmp_path / 'w' / 'epoch_20.pth')
    assert content['meta']['iter'] == 20 * 12 // 4
    before = load_checkpoint_file(checkpoint)['state_dict']
    trained = [k for k in before if k.endswith('weight')]
    assert all(not torch.equal(content['state_dict'][k], before[k]) for k in trained)
    # The classifier's rate is a multiple of the backbone's.
    rates = {group['initial_lr'] for group in content['optimizer']['param_groups']}
    assert sorted(rates) == pytest.approx([0.01, 0.2])


def test_a_list_of_other_images_is_refused(images: Path, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / 'list.txt'
    path.write_text(''.join(f'class{i}/none.jpg\t{i}\tclass{i}\n' for i in range(3)))
    output = call(
        'train.py', TINY_LOWSHOT, '--work-dir', tmp_path / 'w', *folders(images),
        f'train_dataloader.dataset.label_split={path}',
        f'model.backbone.init_cfg.checkpoint={checkpoint}', fails=True,
    )  # fmt: skip
    assert 'lists 3 images that the dataset does not have: class0/none.jpg' in output


def test_without_a_list_the_tool_is_named(images: Path, tmp_path: Path) -> None:
    output = call(
        'train.py', TINY_LOWSHOT, '--work-dir', tmp_path, *folders(images), fails=True, cwd=tmp_path
    )
    assert "'data/label_splits/imagefolder32_10pct.txt'" in output
    assert 'tools/dataset_converters/make_label_split.py' in output
