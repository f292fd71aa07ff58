"""A resumed run makes up for the validation that was due."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.utils import load_checkpoint_file
from mmrel.visualization import find_scalars, read_scalars
from tests.distributed import run_ranks
from tests.engine.toy_runner import toy_runner


class Killed(BaseException):
    pass


def _interrupt(at: int):
    """A function that raises ``Killed`` at its ``at``-th call."""
    calls = []

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == at:
            raise Killed

    return interrupt


def _records(work_dir: Path) -> list[tuple[int, float]]:
    lines = read_scalars(*find_scalars(work_dir)).val
    return [(line['step'], line['score']) for line in lines]


def _rows(work_dir: Path) -> list[int]:
    """Steps of all validation lines in all files."""
    texts = [path.read_text() for path in find_scalars(work_dir)]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    return [line['step'] for line in lines if 'score' in line]


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Work dirs of an epoch-based and an iteration-based run."""
    root = tmp_path_factory.mktemp('unbroken')
    for by_iter in (False, True):
        toy_runner(root / str(by_iter), by_iter=by_iter, length=5).train()
    return {by_iter: root / str(by_iter) for by_iter in (False, True)}


@pytest.mark.parametrize('by_iter', [False, True])
@pytest.mark.parametrize('at', [1, 2, 3])
def test_a_kill_between_checkpoint_and_validation(
    unbroken: dict, tmp_path: Path, by_iter: bool, at: int
) -> None:
    with pytest.raises(Killed):
        toy_runner(tmp_path, interrupt=_interrupt(at), by_iter=by_iter, length=5).train()
    assert len(_records(tmp_path)) == at - 1
    toy_runner(tmp_path, by_iter=by_iter, length=5, resume=True).train()
    # The last one is due because the run ends there.
    assert [step for step, _ in _records(unbroken[by_iter])] == [2, 4, 5]
    assert _records(tmp_path) == _records(unbroken[by_iter])
    assert _rows(tmp_path) == [2, 4, 5]
    name = 'iter_5.pth' if by_iter else 'epoch_5.pth'
    states = [load_checkpoint_file(f / name) for f in (tmp_path, unbroken[by_iter])]
    assert states[0]['state_dict'] == states[1]['state_dict']


def test_a_complete_run_is_not_validated_again(tmp_path: Path) -> None:
    toy_runner(tmp_path).train()
    before = _rows(tmp_path)
    toy_runner(tmp_path, resume=True).train()
    assert _rows(tmp_path) == before == [2, 4]
    # Resuming from the middle of the run finds nothing missing either.
    toy_runner(tmp_path / 'all', hooks=dict(checkpoint=dict(max_keep_ckpts=-1))).train()
    second = str(tmp_path / 'all' / 'epoch_2.pth')
    toy_runner(tmp_path / 'all', resume=True, load_from=second).train()
    assert _rows(tmp_path / 'all') == [2, 4, 4]
    assert [step for step, _ in _records(tmp_path / 'all')] == [2, 4]


def test_an_older_run_in_the_folder_is_not_believed(tmp_path: Path) -> None:
    toy_runner(tmp_path).train()
    with pytest.raises(Killed):
        toy_runner(tmp_path, interrupt=_interrupt(1)).train()
    toy_runner(tmp_path, resume=True).train()
    assert _rows(tmp_path) == [2, 4, 2, 4]


def test_a_kill_between_the_record_and_the_best_checkpoint(tmp_path: Path) -> None:
    hooks = dict(checkpoint=dict(save_best='score', rule='greater'))
    runner = toy_runner(tmp_path, hooks=hooks)
    (hook,) = [hook for hook in runner.hooks if hasattr(hook, '_save_best_checkpoint')]

    def killed(*args: object) -> None:
        raise Killed

    hook._save_best_checkpoint = killed
    with pytest.raises(Killed):
        runner.train()
    assert _rows(tmp_path) == [2]
    # It is saved now, not at the next validation: the second of these is not better.
    toy_runner(tmp_path, hooks=hooks, resume=True, length=2).train()
    assert (tmp_path / 'best_score_epoch_2.pth').is_file()
    assert [step for step, _ in _records(tmp_path)] == [2]


def test_the_first_validation_comes_with_the_first_step(tmp_path: Path) -> None:
    hooks = dict(initial=dict(type='InitialValHook'))
    with pytest.raises(Killed):
        toy_runner(tmp_path, interrupt=_interrupt(1), hooks=hooks).train()
    with pytest.raises(Killed):
        toy_runner(tmp_path, interrupt=_interrupt(2), hooks=hooks, resume=True).train()
    toy_runner(tmp_path, hooks=hooks, resume=True).train()
    assert _rows(tmp_path) == [0, 2, 4]


def test_generators_go_on_as_without_it(tmp_path: Path) -> None:
    def draw_and_interrupt() -> None:
        torch.rand(7)

    with pytest.raises(Killed):
        toy_runner(tmp_path, interrupt=_interrupt(1)).train()
    finals = []
    for interrupt in (None, draw_and_interrupt):
        runner = toy_runner(
            tmp_path, interrupt=interrupt, resume=True, length=3, val_interval=2,
            load_from=str(tmp_path / 'epoch_2.pth'),
            # Without StepSeedHook, so nothing seeds the steps.
            hooks=dict(
                step_seed=dict(type='IterTimerHook'),
                checkpoint=dict(save_last=False, interval=9),
            ),
        )  # fmt: skip
        (tmp_path / 'validated.json').unlink()
        finals.append(runner.train().weight.item())
    assert finals[0] == finals[1]


def test_a_damaged_note_costs_a_validation_only(tmp_path: Path) -> None:
    toy_runner(tmp_path).train()
    (tmp_path / 'validated.json').write_text('{')
    toy_runner(tmp_path, resume=True).train()
    assert [step for step, _ in _records(tmp_path)] == [2, 4]


def test_checkpoints_by_iteration_of_a_run_by_epoch(unbroken: dict, tmp_path: Path) -> None:
    keep = dict(checkpoint=dict(by_epoch=False, interval=1, max_keep_ckpts=-1))
    toy_runner(tmp_path / 'whole', length=5, hooks=keep).train()
    whole = _records(tmp_path / 'whole')
    assert whole == _records(unbroken[False])
    last = load_checkpoint_file(tmp_path / 'whole' / 'iter_15.pth')['state_dict']['weight']
    # Inside an epoch, at its end with and without a validation, at the run's end.
    for done in (4, 6, 9, 15):
        work_dir = tmp_path / str(done)
        first = str(tmp_path / 'whole' / f'iter_{done}.pth')
        toy_runner(work_dir, length=5, hooks=keep, resume=True, load_from=first).train()
        # Its folder is new and has no records, so these validations run again.
        assert _records(work_dir) == [(s, v) for s, v in whole if 3 * s >= done]
        if done < 15:
            ours = load_checkpoint_file(work_dir / 'iter_15.pth')
            assert ours['state_dict']['weight'] == last
            assert (ours['meta']['epoch'], ours['meta']['iter']) == (4, 15)


class _AtValidation(Hook):
    """Record the epochs of validations, or raise ``Killed`` at the first one."""

    def __init__(self, kill: bool = False) -> None:
        self.kill, self.epochs = kill, []

    def before_val(self, runner: Runner) -> None:
        if self.kill:
            raise Killed
        self.epochs.append(runner.epoch)


def _killed_and_resumed(rank: int, work_dir: str) -> list[int]:
    with pytest.raises(Killed):
        toy_runner(Path(work_dir), hooks=dict(watch=_AtValidation(kill=True))).train()
    # The first rank may still be writing.
    torch.distributed.barrier()
    watch = _AtValidation()
    toy_runner(Path(work_dir), resume=True, length=3, hooks=dict(watch=watch)).train()
    return watch.epochs


def test_two_processes_agree_on_what_is_due(tmp_path: Path) -> None:
    assert run_ranks(_killed_and_resumed, 2, str(tmp_path)) == [[2, 3], [2, 3]]
    assert _rows(tmp_path) == [2, 3]
