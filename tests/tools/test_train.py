"""tools/train.py: results, resume after a kill, bad input."""

import hashlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, call, command, environment, folders, run


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of four epochs without interruption."""
    work_dir = tmp_path_factory.mktemp('trained')
    call('train.py', TINY, '--work-dir', work_dir, *folders(images))
    # Its persistent workers are gone, not left to the collector of cycles.
    assert not [p for p in multiprocessing.active_children() if type(p) is multiprocessing.Process]
    return work_dir


def _last(work_dir: Path) -> str:
    return Path((work_dir / 'last_checkpoint').read_text()).name


def _state(work_dir: Path) -> dict:
    return load_checkpoint_file(work_dir / _last(work_dir))


def _assert_same(ours: object, theirs: object, where: str = '') -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            _assert_same(ours[key], theirs[key], f'{where}.{key}')
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            _assert_same(*pair, f'{where}[{i}]')
    elif isinstance(ours, torch.Tensor):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, msg=where)
    else:
        assert ours == theirs, where


def test_writes_checkpoints_logs_and_knn(trained: Path) -> None:
    assert sorted(p.name for p in trained.glob('*.pth')) == ['epoch_3.pth', 'epoch_4.pth']
    (log,) = trained.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    scores = [line for line in lines if 'knn200/top1' in line]
    assert [line['step'] for line in scores] == [0, 2, 4]
    assert {'knn3/top1', 'knn3/top5', 'knn200/top5'} <= scores[0].keys()
    assert scores[0]['knn3/top5'] >= scores[0]['knn3/top1'] > 50  # a color a class
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert all(0 < loss < 4 for loss in losses)


@pytest.mark.slow
@pytest.mark.parametrize('switch', ['resume', 'resume path'])
def test_killed_and_resumed_is_as_if_nothing_had_happened(
    images: Path, trained: Path, tmp_path: Path, switch: str
) -> None:
    process = subprocess.Popen(
        command('train.py', TINY, '--work-dir', tmp_path, *folders(images)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / 'last_checkpoint').exists() or _last(tmp_path) == 'epoch_1.pth':
        assert process.poll() is None, 'the run ended before it could be killed'
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed_at = _last(tmp_path)
    if killed_at == 'epoch_4.pth':
        pytest.fail('the run was over before the kill')
    arguments = ['--resume'] + ([tmp_path / killed_at] if switch == 'resume path' else [])
    output = call('train.py', TINY, '--work-dir', tmp_path, *arguments, *folders(images))
    assert f'resumed epoch: {killed_at[6]}' in output
    ours, theirs = _state(tmp_path), _state(trained)
    # Student, teacher, queue, pointer; momentum buffers; the schedule's place.
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        _assert_same(ours[part], theirs[part], part)
    assert (ours['meta']['epoch'], ours['meta']['iter']) == (4, theirs['meta']['iter'])
    assert theirs['state_dict']['memory.pointer'].item() == 4 * 6 * 8 % 20


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_good_checkpoint(images: Path, tmp_path: Path) -> None:
    short = 'train_cfg.max_epochs=1'
    call('train.py', TINY, '--work-dir', tmp_path, *folders(images), short)
    good = tmp_path / 'epoch_1.pth'
    before = hashlib.sha256(good.read_bytes()).digest()
    limit = good.stat().st_size // 2
    output = run(
        'train.py', TINY, '--work-dir', tmp_path, '--resume', *folders(images),
        'default_hooks.checkpoint.max_keep_ckpts=1',
        fails=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert 'a checkpoint could not be written' in output
    assert f'the last good checkpoint is {str(good)!r}' in output
    assert hashlib.sha256(good.read_bytes()).digest() == before
    assert _last(tmp_path) == 'epoch_1.pth'
    assert [p.name for p in tmp_path.glob('epoch_*')] == ['epoch_1.pth']
    call('train.py', TINY, '--work-dir', tmp_path, '--resume', *folders(images))
    assert _last(tmp_path) == 'epoch_4.pth'


def test_a_checkpoint_that_cannot_be_written_and_the_best_one(images: Path, tmp_path: Path) -> None:
    best = 'default_hooks.checkpoint.save_best=knn3/top1'
    keep = 'default_hooks.checkpoint.max_keep_ckpts=1'
    (tmp_path / 'epoch_3.pth.partial').mkdir()
    output = call(
        'train.py', TINY, '--work-dir', tmp_path, *folders(images), best, keep, fails=True
    )
    good = tmp_path / 'epoch_2.pth'
    assert f'the last good checkpoint is {str(good)!r}' in output
    assert load_checkpoint_file(good)['meta']['epoch'] == 2
    assert [p.name for p in tmp_path.glob('epoch_*.pth')] == ['epoch_2.pth']
    (best_file,) = tmp_path.glob('best_knn3_top1_epoch_*.pth')
    assert 'optimizer' not in load_checkpoint_file(best_file)


def test_amp_and_channels_last_and_tensorboard(images: Path, tmp_path: Path) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = ['{TINY}']\n"
        "backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]\n"
        'visualizer = dict(vis_backends=backends)\n'
        'train_cfg = dict(max_epochs=1)\n'
    )
    switches = ['--amp', '--auto-scale-lr']
    call('train.py', child, '--work-dir', tmp_path / 'w', *switches, *folders(images))
    tmp_path = tmp_path / 'w'
    assert "type='AutocastOptimWrapper'" in (tmp_path / 'child.py').read_text()
    state = _state(tmp_path)
    assert all(v.dtype != torch.bfloat16 for v in state['state_dict'].values())
    # 8 images a step, the rate is meant for 64.
    assert state['param_schedulers'][0]['base_values'] == [pytest.approx(0.06 / 8)]
    assert list(tmp_path.glob('*/vis_data/events.out.tfevents.*'))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--cfg-options', 'train_dataloader.dataset.data_root=/no/where'], '/no/where'),
        (['--cfg-options', 'modle.memory.size=8'], "has no section 'modle'"),
        (
            ['--cfg-options', 'model.memory.sise=8'],
            'model.memory.sise is not a setting of FeatureQueue',
        ),
        (['--cfg-options', 'model.teacher.momentum=1.5'], 'teacher.momentum=1.5'),
        (['--resume', '/no/such.pth'], "checkpoint '/no/such.pth' does not exist"),
    ],
)
def test_bad_input_is_named(images: Path, tmp_path: Path, change: list, message: str) -> None:
    arguments = ['--work-dir', tmp_path, *folders(images)]
    if change[0] == '--cfg-options':
        arguments += change[1:]
    else:
        arguments = change + arguments
    assert message in call('train.py', TINY, *arguments, fails=True)


def test_one_image_only(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    root = make_folder(classes=1, each=1)
    output = call('train.py', TINY, '--work-dir', tmp_path / 'w', *folders(root), fails=True)
    assert 'the training set has 1 image(s), too few for a batch of 8' in output


def test_a_broken_image_stops_the_run_or_is_left_out(
    tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    root = make_folder(classes=2, each=8)
    (root / 'class1' / '005.jpg').write_bytes(b'no image')
    arguments = ['train.py', TINY, '--work-dir', tmp_path / 'w', *folders(root)]
    short = 'train_cfg.max_epochs=1'
    output = call(*arguments, short, fails=True)
    assert 'class1/005.jpg' in output
    assert 'skip_broken=True' in output
    skip = [f'{part}_dataloader.dataset.skip_broken=True' for part in ('train', 'val')]
    assert 'skipped 1 of 16 images because they cannot be decoded' in call(*arguments, short, *skip)


def test_a_checkpoint_that_does_not_fit(images: Path, trained: Path, tmp_path: Path) -> None:
    content = load_checkpoint_file(trained / 'epoch_4.pth')
    state = content['state_dict']
    del state['backbone.conv1.weight']
    state['extra.weight'] = torch.zeros(1)
    state['memory.queue'] = state['memory.queue'][:, :7]
    torch.save(content, tmp_path / 'odd.pth')
    output = call(
        'train.py', TINY, '--work-dir', tmp_path / 'w', '--resume', tmp_path / 'odd.pth',
        *folders(images), fails=True,
    )  # fmt: skip
    assert '1 missing in the checkpoint: backbone.conv1.weight' in output
    assert '1 unexpected in the checkpoint: extra.weight' in output
    assert 'memory.queue (model (8, 20), checkpoint (8, 7))' in output


def test_images_without_classes(images: Path, tmp_path: Path) -> None:
    call(
        'train.py', TINY, '--work-dir', tmp_path, '--cfg-options',
        f'train_dataloader.dataset.data_root={images}',
        'train_dataloader.dataset.with_label=False', 'train_cfg.max_epochs=1',
        'val_dataloader=None', 'val_evaluator=None', 'val_cfg=None',
    )  # fmt: skip
    assert _last(tmp_path) == 'epoch_1.pth'


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_a_checkpoint_with_code_does_not_run_it(images: Path, tmp_path: Path) -> None:
    sign = tmp_path / 'it-ran'
    torch.save(dict(state_dict={}, meta=_Attack(sign)), tmp_path / 'attack.pth')
    output = call(
        'train.py', TINY, '--work-dir', tmp_path / 'w', '--resume', tmp_path / 'attack.pth',
        *folders(images), fails=True,
    )  # fmt: skip
    assert 'could run code' in output
    assert not sign.exists()
