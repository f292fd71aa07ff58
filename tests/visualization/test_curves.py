"""Curves of a run, of one or several logs."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmrel.visualization import find_scalars, plot_curves, read_scalars
from mmrel.visualization.curves import top1_curves
from tests.visualization.pictures import has_color, picture


def _train(iteration: int, epoch: int, loss: float) -> dict:
    return dict(lr=0.1, loss=loss, loss_epoch=loss, epoch=epoch, iter=iteration, step=iteration)


def _val(epoch: int, top1: float) -> dict:
    return {'knn20/top1': top1, 'knn200/top1': top1 + 1, 'knn200/top5': 99.0, 'step': epoch}


def _log(work_dir: Path, name: str, lines: list[dict], tail: str = '') -> Path:
    path = work_dir / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + tail)
    return path


def _epochs(first: int, last: int, loss: float, per_epoch: int = 20) -> list[dict]:
    """Two lines an epoch, a validation after each second one."""
    lines = []
    for epoch in range(first, last + 1):
        end = epoch * per_epoch
        lines += [_train(end - per_epoch // 2, epoch, loss), _train(end, epoch, loss)]
        lines += [_val(epoch, loss * 10)] * (epoch % 2 == 0)
    return lines


def test_training_and_validation_lines_are_told_apart(tmp_path: Path) -> None:
    run = read_scalars(_log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 4, 3.0)]))
    assert [line['iter'] for line in run.train] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert [line['step'] for line in run.val] == [0, 2, 4]
    assert [line['knn200/top1'] for line in run.val] == [11.0, 31.0, 31.0]
    assert run.by_epoch


def test_a_resumed_run_is_one_run(tmp_path: Path) -> None:
    # Interrupted in epoch 5, in the middle of a line; resumed after epoch 3.
    first = _log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 5, 3.0)], '{"lr": 0.')
    second = _log(tmp_path, '20260102_000000', _epochs(4, 7, 2.0))
    assert find_scalars(tmp_path) == [first, second]
    run = read_scalars(first, second)
    assert [line['iter'] for line in run.train] == list(range(10, 141, 10))
    assert [line['loss'] for line in run.train] == [3.0] * 6 + [2.0] * 8
    assert [(line['step'], line['knn20/top1']) for line in run.val] == [
        (0, 10.0), (2, 30.0), (4, 20.0), (6, 20.0),
    ]  # fmt: skip


def test_a_validation_that_the_resumed_run_has_yet_to_repeat(tmp_path: Path) -> None:
    first = _log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 5, 3.0)])
    second = _log(tmp_path, '20260102_000000', _epochs(4, 4, 2.0)[:1])
    run = read_scalars(first, second)
    assert [line['iter'] for line in run.train] == list(range(10, 71, 10))
    assert [line['step'] for line in run.val] == [0, 2]


def test_a_run_that_was_started_anew_replaces_the_old_one(tmp_path: Path) -> None:
    for name, loss in (('20260101_000000', 3.0), ('20260102_000000', 2.0)):
        _log(tmp_path, name, [_val(0, loss), *_epochs(1, 4, loss)])
    run = read_scalars(*find_scalars(tmp_path))
    assert {line['loss'] for line in run.train} == {2.0}
    assert [line['step'] for line in run.val] == [0, 2, 4]
    assert run.val[0]['knn20/top1'] == 2.0


def test_a_run_by_iterations(tmp_path: Path) -> None:
    lines = [dict(lr=0.1, loss=1.0, step=i) for i in (50, 100, 150)]
    lines.insert(2, {'accuracy/top1': 50.0, 'step': 100})
    run = read_scalars(_log(tmp_path, '20260101_000000', lines))
    assert [line['iter'] for line in run.train] == [50, 100, 150]
    assert not run.by_epoch
    plot_curves(run, tmp_path / 'curves.png')
    picture(tmp_path / 'curves.png')


def test_logs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='work dir'):
        find_scalars(tmp_path)
    broken = tmp_path / 'scalars.json'
    broken.write_text('{"lr": 0.\n{"step": 1}\n')
    with pytest.raises(ValueError, match='line 1'):
        read_scalars(broken)
    broken.write_text('{"time": 1, "step": 1}\n')
    with pytest.raises(ValueError, match='neither'):
        plot_curves(read_scalars(broken), tmp_path / 'curves.png')


def test_curves_are_two_panels_or_the_one_that_there_is(tmp_path: Path) -> None:
    both = _log(tmp_path, 'both', _epochs(1, 4, 3.0))
    one = _log(tmp_path, 'one', [_val(0, 10.0)])
    plot_curves(read_scalars(both), tmp_path / 'new' / 'both.png')
    plot_curves(read_scalars(one), tmp_path / 'one.png')
    pixels = picture(tmp_path / 'new' / 'both.png')
    assert pixels.shape[1] == 2 * picture(tmp_path / 'one.png').shape[1] > 1500
    for half in np.array_split(pixels, 2, axis=1):
        assert has_color(half, 'ff7f0e')  # the epochs' mean, and the second kNN curve


def test_the_teachers_curves_have_names_of_their_own(tmp_path: Path) -> None:
    line = {'knn200/top1': 3.0, 'teacher/knn20/top1': 1.0, 'teacher/top1': 2.0, 'step': 1}
    curves = top1_curves(read_scalars(_log(tmp_path, '20260101_000000', [line])))
    assert curves == {
        'teacher': ([1], [2.0]),
        'teacher, kNN, k = 20': ([1], [1.0]),
        'kNN, k = 200': ([1], [3.0]),
    }
