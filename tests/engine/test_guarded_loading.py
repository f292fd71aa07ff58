"""Checkpoints are checked before a Runner uses them, and their paths stay in its folder."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mmengine.hooks
import pytest
import torch
from mmengine.logging import MessageHub

from mmrel.engine.guarded_loading import GuardedLoading, read_pointer

_names = itertools.count()


class _Base:
    """What the mixin uses of mmengine's Runner."""

    _resume, _load_from, _has_loaded = True, None, False

    def __init__(self, work_dir: Path, **loop: int) -> None:
        self.work_dir, self.train_loop = str(work_dir), SimpleNamespace(**loop)
        self.message_hub = MessageHub(f'guarded{next(_names)}')
        self.hooks: list[Any] = []
        self.checkpoint: dict = {}
        self.loaded = 0

    def register_hooks(self, *hooks: Any) -> None:
        self.hooks += hooks

    def register_hook(self, hook: Any) -> None:
        self.hooks.append(hook)

    def load_or_resume(self) -> None:
        self.loaded += 1

    def resume(self, filename: str) -> None:
        for hook in self.hooks:
            hook.after_load_checkpoint(self, self.checkpoint)
        info = self.checkpoint['message_hub']['runtime_info']
        for key, value in info.items():
            self.message_hub.update_info(key, value)


class _Runner(GuardedLoading, _Base):
    pass


def _checkpoint(**meta: Any) -> dict:
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    return dict(
        state_dict=dict(w=torch.ones(2)), meta=dict(dict(epoch=2, iter=12), **meta), message_hub=hub
    )


def _started(folder: Path, checkpoint: dict, **loop: int) -> _Runner:
    runner = _Runner(folder, **loop)
    runner.register_hooks()
    runner.checkpoint = checkpoint
    return runner


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', "does not contain the path of a file: ''"),
        (b'http://example.com/x.pth', 'does not contain the path of a file'),
        (b'a.pth\nb.pth', 'does not contain the path of a file'),
        (b'x' * 4097, 'does not contain the path of a file'),
        (b'\xff\xfe', 'cannot be read: it is not text'),
        (None, 'cannot be read: Is a directory'),
    ],
)
def test_a_pointer_that_names_no_file_is_refused_before_it_is_used(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    pointer = tmp_path / 'last_checkpoint'
    pointer.mkdir() if content is None else pointer.write_bytes(content)
    runner = _Runner(tmp_path)
    with pytest.raises(
        RuntimeError, match=rf"^'{pointer}' {reason}.*; name .* with --resume FILE$"
    ):
        runner.load_or_resume()
    assert runner.loaded == 0
    runner._load_from = 'named.pth'  # then the pointer is not read
    runner.load_or_resume()
    assert runner.loaded == 1


def test_a_pointer_is_read_without_its_line_break(tmp_path: Path) -> None:
    assert read_pointer(str(tmp_path)) is None
    (tmp_path / 'last_checkpoint').write_text('work/größe 1.pth\n')
    assert read_pointer(str(tmp_path)) == 'work/größe 1.pth'


def test_weights_that_are_not_finite_are_refused_also_without_resuming(tmp_path: Path) -> None:
    content = _checkpoint()
    content['state_dict']['w'][1] = torch.inf
    runner = _started(tmp_path, content)
    (guard,) = runner.hooks
    with pytest.raises(
        RuntimeError, match=r'NaN or infinite values in 1 of 1 tensors \(first: w\)'
    ):
        guard.after_load_checkpoint(runner, content)
    del content['meta']['iter']
    content['state_dict']['w'][1] = 0
    guard.after_load_checkpoint(runner, content)  # the position does not matter to load_from
    with pytest.raises(
        RuntimeError, match=r'^the checkpoint has no meta\.iter, so it cannot be res'
    ):
        runner.resume('x.pth')
    assert not runner.resuming


@pytest.mark.parametrize(
    ('loop', 'meta', 'message'),
    [
        (dict(_max_epochs=2), {}, None),
        (dict(_max_epochs=4), dict(epoch=5),
         'from epoch 5, but this run ends after 4: set train_cfg.max_epochs above 5, or use'),
        (dict(_max_epochs=1, _max_iters=12), {}, None),
        (dict(_max_epochs=1, _max_iters=11), {},
         'from iteration 12, but this run ends after 11: set train_cfg.max_iters above 12, or use'),
        # Of another batch size, perhaps; the records of the runs are compared.
        (dict(_max_epochs=1, _max_iters=11), dict(run={}), None),
    ],
)  # fmt: skip
def test_a_checkpoint_from_after_the_end_is_refused(
    tmp_path: Path, loop: dict, meta: dict, message: str | None
) -> None:
    runner = _started(tmp_path, _checkpoint(**meta), **loop)
    if message is None:
        runner.resume('x.pth')
        assert runner.message_hub.runtime_info.keys() == set()
    else:
        with pytest.raises(RuntimeError, match=message):
            runner.resume('x.pth')
    assert not runner.resuming


@pytest.mark.parametrize('elsewhere', [False, True])
def test_paths_of_a_checkpoint_stay_in_the_runs_folder(tmp_path: Path, elsewhere: bool) -> None:
    """mmengine removes the best checkpoint that a file names."""
    content, folder = _checkpoint(), tmp_path / 'work'
    content['message_hub']['runtime_info'] = dict(
        last_ckpt='/other/epoch_2.pth', best_ckpt='/other/best_top1_epoch_1.pth',
        best_ckpt_a='/home/me/precious.pth', best_ckpt_b='..', best_score=3.0,
    )  # fmt: skip
    runner = _started(folder, content, _max_epochs=4)
    if elsewhere:
        runner.register_hook(mmengine.hooks.CheckpointHook(out_dir=str(tmp_path / 'out')))
        folder = tmp_path / 'out' / 'work'
    runner.resume('x.pth')
    assert dict(runner.message_hub.runtime_info) == dict(
        last_ckpt=str(folder / 'epoch_2.pth'), best_ckpt=str(folder / 'best_top1_epoch_1.pth'),
        best_ckpt_a=None, best_ckpt_b=None, best_score=3.0,
    )  # fmt: skip
