"""Checkpoints record their run and network, and runs without a record still resume."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mmrel.engine.run_record import run_record
from mmrel.engine.runner import Runner
from mmrel.utils import load_checkpoint_file
from mmrel.utils.network_record import network_record
from tests.engine.toy_run import toy_runner


def _built(folder: Path, **changes: Any) -> Runner:
    """A runner as it is before its first step, which loads what it shall."""
    runner = toy_runner(folder, **changes)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.load_or_resume()
    return runner


def _saved(folder: Path, **meta: Any) -> tuple[Runner, Path]:
    runner = _built(folder)
    runner.save_checkpoint(str(folder), 'x.pth', meta=dict(epoch=2, iter=12, **meta))
    return runner, folder / 'x.pth'


def test_a_checkpoint_has_the_records_of_its_run_and_network(tmp_path: Path) -> None:
    runner, file = _saved(tmp_path, mine=3)
    meta = load_checkpoint_file(file)['meta']
    assert meta['run'] == run_record(runner)
    assert meta['network'] == network_record(runner.cfg)
    assert (meta['epoch'], meta['iter'], meta['mine']) == (2, 12, 3)


def test_a_record_of_other_settings_is_refused_and_only_when_resumed(tmp_path: Path) -> None:
    _, file = _saved(tmp_path / 'a')
    other = dict(load_from=str(file), randomness=dict(seed=4))
    with pytest.raises(ValueError, match=r'randomness\.seed=4, .*: set randomness\.seed=3'):
        _built(tmp_path / 'b', resume=True, **other)
    assert _built(tmp_path / 'c', **other).iter == 0
    assert _built(tmp_path / 'd', resume=True, load_from=str(file)).iter == 12


def test_a_run_without_a_record_keeps_its_schedule_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, file = _saved(tmp_path / 'a')
    content = load_checkpoint_file(file)
    del content['meta']['run']
    content['optimizer']['param_groups'][0]['lr'] = 0.0625
    torch.save(content, file)
    said: list[str] = []
    monkeypatch.setattr(type(runner.logger), 'warning', lambda self, text, *_: said.append(text))
    resumed = _built(tmp_path / 'b', resume=True, load_from=str(file), train_cfg=dict(max_epochs=9))
    assert resumed.optim_wrapper.param_groups[0]['lr'] == 0.0625
    (line,) = [text for text in said if 'has no record of its run' in text]
    assert line.startswith(f'{file} has no record')
    assert line.endswith('continue as before and ignore the config')


@pytest.mark.parametrize('counts', [1, 3])
def test_the_model_learns_how_many_iterations_a_step_has(tmp_path: Path, counts: int) -> None:
    wrapper = dict(accumulative_counts=counts)
    runner = _built(tmp_path, optim_wrapper=wrapper)
    assert runner.message_hub.get_info('accumulative_counts') == counts
