"""K-shot supernets by the commands: training, resuming, two processes, pictures, the study."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from mmrel.utils.checkpoint import load_checkpoint_file
from tests.commands import TINY_KSHOT, call, folders, run


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('kshot')
    call('train.py', TINY_KSHOT, '--work-dir', work_dir, *folders(images))
    return work_dir


def _lines(work_dir: Path) -> list[dict]:
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_codes_are_logged_once_the_warm_up_is_over(trained: Path) -> None:
    steps = [line for line in _lines(trained) if 'loss' in line]
    for line in steps:
        assert ('code_spread' in line) == (line['epoch'] > 1)
    last = steps[-1]
    assert last['code_mean/1'] + last['code_mean/2'] == pytest.approx(1, abs=1e-3)
    assert last['loss_simplex'] > 0
    scores = [line for line in _lines(trained) if 'accuracy/top1' in line]
    assert [line['step'] for line in scores] == [2, 4]


@pytest.mark.slow
@pytest.mark.parametrize('epoch', [1, 2])
def test_resumed_is_as_if_nothing_had_happened(
    images: Path, trained: Path, tmp_path: Path, epoch: int
) -> None:
    call(
        'train.py', TINY_KSHOT, '--work-dir', tmp_path, '--resume', trained / f'epoch_{epoch}.pth',
        *folders(images),
    )  # fmt: skip
    ours, theirs = (load_checkpoint_file(w / 'epoch_4.pth') for w in (tmp_path, trained))
    for part in ('state_dict', 'optimizer'):
        torch.testing.assert_close(ours[part], theirs[part], rtol=0, atol=0)
    assert theirs['state_dict']['progress'].tolist() == [4 * 6, 1]
    assert set(theirs['optimizer']) == {'weights', 'simplex_net'}


def test_test_gives_what_validation_gave(images: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / 'metrics.json'
    call(
        'test.py', TINY_KSHOT, trained / 'epoch_4.pth', '--work-dir', tmp_path, '--out', out,
        *folders(images),
    )  # fmt: skip
    logged = [line for line in _lines(trained) if 'accuracy/top1' in line][-1]
    metrics = json.loads(out.read_text())
    assert metrics['accuracy/top1'] == pytest.approx(logged['accuracy/top1'])


@pytest.mark.slow
def test_two_processes_and_mixed_precision(images: Path, tmp_path: Path) -> None:
    run(
        'dist_train.sh', TINY_KSHOT, 2, '--work-dir', tmp_path, '--amp', *folders(images),
        'train_dataloader.batch_size=4', 'train_cfg.max_epochs=2',
    )  # fmt: skip
    state = load_checkpoint_file(tmp_path / 'epoch_2.pth')['state_dict']
    assert state['progress'].tolist() == [2 * 6, 1]
    assert all(value.isfinite().all() for value in state.values())


def test_the_picture_of_the_codes(trained: Path, tmp_path: Path) -> None:
    picture = tmp_path / 'codes.png'
    output = call(
        'analysis/path_codes.py', TINY_KSHOT, trained / 'epoch_4.pth', '--out', picture,
        '--paths', 40,
    )  # fmt: skip
    means = output.split('mean of each dictionary:')[1].splitlines()[0].split()
    assert sum(map(float, means)) == pytest.approx(1, abs=1e-3)
    with Image.open(picture) as image:
        assert image.width > 1000


@pytest.mark.slow
def test_how_many_batches_keep_the_ranking(trained: Path, images: Path) -> None:
    output = call(
        'analysis/calibration_batches.py', TINY_KSHOT, trained / 'epoch_4.pth', '--paths', 6,
        '--batches', 4, 1, 2, *folders(images), 'val_dataloader.batch_size=4',
    )  # fmt: skip
    rows = [line.split('|')[1:-1] for line in output.splitlines() if line.startswith('|')][2:]
    assert [int(row[0]) for row in rows] == [1, 2, 4]
    taus = [[float(word.strip(' [],')) for word in row[2].split()] for row in rows]
    assert taus[-1] == [1, 1, 1]
    assert all(-1 <= low <= tau <= high <= 1 for tau, low, high in taus)


@pytest.mark.slow
def test_starts_from_a_one_shot_supernet(images: Path, tmp_path: Path) -> None:
    short = ['train_cfg.max_epochs=1', 'model.warmup.epochs=0']
    call('train.py', TINY_KSHOT, '--work-dir', tmp_path / 'one', *folders(images), *short,
        'model.k=1')  # fmt: skip
    call(
        'train.py', TINY_KSHOT, '--work-dir', tmp_path / 'two', *folders(images), *short,
        'model.init_cfg.type=OneShotInit', 'model.init_cfg.noise=0.0',
        f'model.init_cfg.checkpoint={tmp_path / "one" / "epoch_1.pth"}',
        'optim_wrapper.optimizer.lr=0.0',
    )  # fmt: skip
    one, two = (
        load_checkpoint_file(tmp_path / n / 'epoch_1.pth')['state_dict'] for n in ('one', 'two')
    )
    weights = [k for k in one if k.endswith('.weight') and one[k].shape[0] == 1]
    assert len(weights) > 20
    for key in weights:
        assert torch.equal(two[key], one[key].expand_as(two[key])), key


@pytest.mark.slow
def test_the_ranking_study_goes_on_where_it_stopped(images: Path, tmp_path: Path) -> None:
    arguments = [
        'analysis/kshot_ranking.py', '--work-dir', tmp_path, '--supernet', TINY_KSHOT,
        '--k', 1, 2, '--seeds', 0, '--epochs', 1, '--alone-epochs', 1, '--threads', 1,
        *folders(images), 'train_dataloader.batch_size=8', 'val_dataloader.batch_size=16',
        'val_evaluator.topk=[1]', '--supernet-options', 'model.warmup.epochs=0',
    ]  # fmt: skip
    call(*arguments, '--paths', 3)
    rows = (tmp_path / 'rows.jsonl').read_text().splitlines()
    assert [json.loads(row)['kind'] for row in rows] == ['supernet'] * 2 + ['alone'] * 3
    # A stop in the middle of a line must cost that row alone.
    (tmp_path / 'rows.jsonl').write_text('\n'.join(rows[:4]) + '\n{"kind": "alo')
    output = call(*arguments, '--paths', 3)
    again = (tmp_path / 'rows.jsonl').read_text().splitlines()
    assert again[:4] == rows[:4]
    assert json.loads(again[-1]) == json.loads(rows[-1])
    assert len(again) == 5
    assert 'the noise of the truth is not known' in output
    # Every tau has its interval; scores that are all equal have none.
    assert all(re.search(rf'\| K = {k} \| \S+ \[.*\] \|', output)
               or f'K = {k}, seed 0 is left out' in output for k in (1, 2))  # fmt: skip
    changed = [2 if word == 1 and arguments[i - 1] == '--epochs' else word
               for i, word in enumerate(arguments)]  # fmt: skip
    assert 'use another --work-dir' in call(*changed, '--paths', 3, fails=True)


@pytest.mark.slow
def test_a_longer_resume_has_the_rates_of_the_longer_run(images: Path, tmp_path: Path) -> None:
    """Both optimizers, at 6 iterations an epoch; logged are the rates of each second one."""
    arguments = ['train.py', TINY_KSHOT, '--work-dir', tmp_path, *folders(images)]
    call(*arguments, 'train_cfg.max_epochs=2')
    output = call(*arguments, 'train_cfg.max_epochs=4', '--resume')
    assert 'resumed with changes: train_cfg.max_epochs 2 -> 4.' in output
    lines = [line for line in _lines(tmp_path) if 'loss' in line and line['epoch'] > 2]
    for done, line in zip(range(13, 24, 2), lines, strict=True):
        rate = 0.05 * (1 + math.cos(math.pi * done / 24)) / 2
        assert line['weights.lr'] == line['simplex_net.lr'] == pytest.approx(rate)
