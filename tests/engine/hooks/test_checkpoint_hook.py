"""The last good checkpoint is never lost: what is removed, when, and what an error says."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mmengine.fileio
import pytest
from mmengine.logging import MessageHub

from mmrel.engine.hooks import CheckpointHook
from mmrel.engine.hooks.checkpoint_hook import last_checkpoint

_names = itertools.count()


class _Runner:
    """Writes checkpoints as mmengine does; remembers which files there were then."""

    epoch, iter = 1, 3

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = str(work_dir)
        self.message_hub = MessageHub(f'checkpoints{next(_names)}')
        self.logger = SimpleNamespace(info=lambda text: None)
        self.error: OSError | None = None
        self.files: list[set[str]] = []

    def save_checkpoint(
        self, out_dir: str, filename: str, backend_args: dict | None = None, **_: Any
    ) -> None:
        self.files.append(_files(Path(self.work_dir)))
        if self.error is not None:
            raise self.error
        mmengine.fileio.put(filename.encode(), f'{out_dir}/{filename}', backend_args)


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _started(folder: Path, **settings: Any) -> tuple[CheckpointHook, _Runner]:
    runner, hook = _Runner(folder), CheckpointHook(**settings)
    hook.before_train(runner)
    return hook, runner


def _save(hook: CheckpointHook, runner: _Runner, *epochs: int) -> None:
    for epoch in epochs:
        hook._save_checkpoint_with_step(runner, epoch, dict(epoch=epoch))


def test_an_old_checkpoint_goes_when_the_new_one_is_complete(tmp_path: Path) -> None:
    hook, runner = _started(tmp_path, max_keep_ckpts=1)
    _save(hook, runner, 1, 2)
    assert runner.files == [set(), {'epoch_1.pth', 'last_checkpoint'}]
    assert _files(tmp_path) == {'epoch_2.pth', 'last_checkpoint'}
    assert last_checkpoint(str(tmp_path)) == f'{tmp_path}/epoch_2.pth'
    assert runner.message_hub.get_info('keep_ckpt_ids') == [2]
    _save(hook, runner, 2)  # again, after a better validation
    assert _files(tmp_path) == {'epoch_2.pth', 'last_checkpoint'}
    assert last_checkpoint(str(tmp_path / 'nowhere')) is None


def test_a_write_that_fails_loses_nothing_and_names_the_last_good_one(tmp_path: Path) -> None:
    hook, runner = _started(tmp_path, max_keep_ckpts=1)
    runner.error = OSError(28, 'No space left on device')
    message = rf"written to '{tmp_path}' \(.*No space.*\); there is no earlier checkpoint$"
    with pytest.raises(RuntimeError, match=message):
        _save(hook, runner, 1)
    runner.error = None
    _save(hook, runner, 2)
    runner.error = OSError(28, 'No space left on device')
    with pytest.raises(RuntimeError, match=rf"'{tmp_path}/epoch_2.pth': fix .* with --resume"):
        _save(hook, runner, 3)
    assert _files(tmp_path) == {'epoch_2.pth', 'last_checkpoint'}
    assert last_checkpoint(str(tmp_path)) == f'{tmp_path}/epoch_2.pth'


def test_a_half_written_file_never_has_the_name_of_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, runner = _started(tmp_path)
    _save(hook, runner, 1)

    def full(number: int) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmrel.utils.files.os.fsync', full)  # after the content
    with pytest.raises(RuntimeError, match='No space left on device'):
        _save(hook, runner, 2)
    assert _files(tmp_path) == {'epoch_1.pth', 'last_checkpoint'}


def test_after_a_doubtful_loss_older_checkpoints_stay_once(tmp_path: Path) -> None:
    hook, runner = _started(tmp_path, max_keep_ckpts=1)
    _save(hook, runner, 1)
    hook.doubtful = True
    _save(hook, runner, 2)
    assert _files(tmp_path) == {'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint'}
    _save(hook, runner, 3)
    assert _files(tmp_path) == {'epoch_1.pth', 'epoch_3.pth', 'last_checkpoint'}


def test_the_former_best_goes_when_the_better_one_is_complete(tmp_path: Path) -> None:
    hook, runner = _started(tmp_path, save_best='top1', rule='greater')
    hook._save_best_checkpoint(runner, dict(top1=1.0))
    runner.epoch = 2
    hook._save_best_checkpoint(runner, dict(top1=2.0))
    assert runner.files == [set(), {'best_top1_epoch_1.pth'}]
    runner.error, runner.epoch = OSError('odd'), 3
    with pytest.raises(RuntimeError, match='could not be written'):
        hook._save_best_checkpoint(runner, dict(top1=3.0))
    assert _files(tmp_path) == {'best_top1_epoch_2.pth'}
