"""What a checkpoint says of its run, and what is refused as a record."""

from pathlib import Path
from typing import Any

import pytest

from mmrel.engine.global_batch import GlobalBatch
from mmrel.engine.run_record import batch_of, check_record, fingerprint, run_record
from mmrel.engine.runner import Runner
from mmrel.version import __version__
from tests.engine.toy_run import toy_runner


def _built(folder: Path, **changes: Any) -> Runner:
    """A runner as it is before its first step."""
    runner = toy_runner(folder, **changes)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


def test_what_a_checkpoint_says_of_its_run(tmp_path: Path) -> None:
    run = run_record(_built(tmp_path))
    schedule = run.pop('schedule')
    assert run.pop('mmrel_version') == __version__
    assert run == dict(
        by_epoch=True, max_epochs=4, max_iters=24, epoch_length=6, dataset_size=24, batch_size=4,
        world_size=1, accumulative_counts=1, seed=3, optimizers={'': 'SGD'}, groups={'': [4]},
        lr={'': 0.1},
    )  # fmt: skip
    assert [s['type'] for s in schedule['']] == ['CosineAnnealingLR']
    assert schedule[''][0]['T_max'] == 24


def test_the_place_in_a_schedule_is_no_part_of_the_record(tmp_path: Path) -> None:
    runner = _built(tmp_path)
    before = run_record(runner)
    for _ in range(5):
        runner.param_schedulers[0].step()
    assert runner.optim_wrapper.param_groups[0]['lr'] < 0.1
    assert run_record(runner) == before
    longer = _built(tmp_path / 'longer', train_cfg=dict(max_epochs=5))
    assert fingerprint(longer.param_schedulers[0]) != before['schedule'][''][0]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(seed=None), 'has no valid seed$'),
        (dict(batch_size='4', groups=[4]), 'has no valid batch_size, groups$'),
        (dict(lr=...), 'has no valid lr$'),
        (dict(max_iters=..., schedule=...), 'has no valid max_iters, schedule$'),
    ],
)
def test_a_record_that_mmrel_did_not_write_is_refused(
    tmp_path: Path, change: dict, message: str
) -> None:
    new = run_record(_built(tmp_path))
    old = {key: value for key, value in (new | change).items() if value is not ...}
    check_record(new, new)
    with pytest.raises(
        ValueError, match=rf"^the checkpoint is damaged: its meta\['run'\] {message}"
    ):
        check_record(old, new)
    with pytest.raises(ValueError, match=r"its meta\['run'\] must be a dict, not list"):
        check_record([new], new)


def test_the_global_batch_is_read_from_a_record() -> None:
    record = dict(accumulative_counts=2, world_size=3, batch_size=5)
    assert batch_of(record) == GlobalBatch(batch_size=5, world_size=3, accumulation=2)
