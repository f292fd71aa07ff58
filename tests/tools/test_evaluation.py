"""tools/test.py, the linear configs and the launchers, on one and on two processes."""

import json
from pathlib import Path

import pytest
import torch

from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, TINY_LINEAR, call, folders, run


@pytest.fixture(scope='module')
def checkpoint(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs on two CPU processes."""
    work_dir = tmp_path_factory.mktemp('two')
    output = run(
        'dist_train.sh', TINY, 2, '--work-dir', work_dir, *folders(images),
        'train_cfg.max_epochs=2', 'model.backbone.norm_cfg.type=SyncBN',
    )  # fmt: skip
    assert 'ReSSL' in output
    assert 'on 2 processes' in output
    return work_dir / 'epoch_2.pth'


def _knn(out: Path) -> dict:
    return json.loads(out.read_text())


def test_two_processes_share_an_epoch(checkpoint: Path) -> None:
    content = load_checkpoint_file(checkpoint)
    assert content['meta']['iter'] == 2 * 48 // 16
    assert content['state_dict']['memory.pointer'].item() == 2 * 48 % 20


@pytest.mark.slow
def test_knn_is_the_same_on_one_and_two_processes(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    data = folders(images)
    one, two = tmp_path / 'one.json', tmp_path / 'two.json'
    call('test.py', TINY, checkpoint, '--work-dir', tmp_path, '--out', one, *data)
    run('dist_test.sh', TINY, checkpoint, 2, '--work-dir', tmp_path, '--out', two, *data)
    assert _knn(one) == pytest.approx(_knn(two))
    assert set(_knn(one)) == {f'knn{k}/top{n}' for k in (3, 200) for n in (1, 5)}


def test_linear_evaluation_trains_only_the_classifier(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    data = [*folders(images), f'model.backbone.init_cfg.checkpoint={checkpoint}']
    call('train.py', TINY_LINEAR, '--work-dir', tmp_path, *data)
    before = load_checkpoint_file(checkpoint)['state_dict']
    after = load_checkpoint_file(tmp_path / 'epoch_12.pth')['state_dict']
    backbone = [k for k in after if k.startswith('backbone.')]
    assert backbone
    for key in backbone:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0, msg=key)
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    scores = [json.loads(line) for line in log.read_text().splitlines()][-1]
    assert scores['accuracy/top1'] > 60  # a color a class; chance is 33
    assert scores['accuracy/top5'] == 100
    out = tmp_path / 'linear.json'
    call('test.py', TINY_LINEAR, tmp_path / 'epoch_12.pth', '--out', out, '--work-dir', tmp_path,
        *data)  # fmt: skip
    assert json.loads(out.read_text())['accuracy/top1'] == pytest.approx(scores['accuracy/top1'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ([], 'init_cfg.checkpoint is empty'),
        (['model.backbone.init_cfg.checkpoint={ckpt}', 'model.backbone.init_cfg.prefix=encoder.'],
         'missing in the checkpoint: conv1.weight'),
        (['model.backbone.init_cfg.checkpoint={ckpt}', 'model.backbone.base_channels=16'],
         'with a different shape: layer1'),
    ],
)  # fmt: skip
def test_linear_evaluation_of_a_wrong_checkpoint(
    images: Path, checkpoint: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    options = [option.format(ckpt=checkpoint) for option in options]
    arguments = ['--work-dir', tmp_path, *folders(images), *options]
    assert message in call('train.py', TINY_LINEAR, *arguments, fails=True)


def test_testing_a_checkpoint_of_another_model(
    images: Path, checkpoint: Path, tmp_path: Path
) -> None:
    output = call(
        'test.py', TINY, checkpoint, '--work-dir', tmp_path, *folders(images),
        'model.memory.size=24', fails=True,
    )  # fmt: skip
    assert 'memory.queue (model (8, 24), checkpoint (8, 20))' in output
