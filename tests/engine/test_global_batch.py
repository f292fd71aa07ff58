"""The learning rate and the global batch, with processes and accumulation counted."""

from pathlib import Path

import pytest
import torch

from mmrel.engine.global_batch import GlobalBatch
from mmrel.engine.runner import Runner
from tests.engine.toy_run import toy_runner

_ADAM = dict(type='SGD', lr=0.1)


def _start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, world: int = 1, counts: int = 1, **scale: object
) -> tuple[Runner, list[str]]:
    """A runner with its optimizer built and scaled, and what it logged."""
    wrapper = dict(accumulative_counts=counts, optimizer=_ADAM)
    wrapper['paramwise_cfg'] = dict(custom_keys=dict(second=dict(lr_mult=3.0)))
    runner = toy_runner(folder, optim_wrapper=wrapper, auto_scale_lr=dict(scale) or None)
    said: list[str] = []
    for level in ('info', 'warning'):
        monkeypatch.setattr(runner.logger, level, lambda text, *_, **__: said.append(text))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._world_size = world
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    return runner, [text for text in said if 'is for a batch size' in text]


@pytest.mark.parametrize(
    ('world', 'counts', 'rule', 'factor'),
    [(1, 1, 'linear', 0.25), (2, 1, 'linear', 0.5), (1, 2, 'linear', 0.5), (2, 3, 'linear', 1.5),
     (2, 2, 'sqrt', 1.0), (1, 1, 'sqrt', 0.5), (1, 4, 'sqrt', 1.0)],
)  # fmt: skip
def test_the_rate_scales_with_the_batch_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int, counts: int, rule: str,
    factor: float,
) -> None:  # fmt: skip
    settings = dict(base_batch_size=16, rule=rule, enable=True)
    runner, said = _start(tmp_path, monkeypatch, world, counts, **settings)
    groups = runner.optim_wrapper.param_groups
    assert {round(g['lr'], 9) for g in groups} == {round(r * factor, 9) for r in (0.1, 0.3)}
    # The base rate in the log is scaled too.
    assert runner.optim_wrapper.get_lr()['base_lr'] == [pytest.approx(0.1 * factor)]
    (line,) = said
    assert f'is for a batch size of 16, but this run has {4 * world * counts}: ' in line
    assert f'0.1 -> {0.1 * factor:.4g}' in line


def test_without_the_switch_another_batch_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, said = _start(tmp_path, monkeypatch, 2, 4, base_batch_size=16)
    assert {round(g['lr'], 9) for g in runner.optim_wrapper.param_groups} == {0.1, 0.3}
    (line,) = said
    assert line.startswith(
        'the learning rate is for a batch size of 16, but this run has 32 (4 on 2 processes, '
        '4 iterations per step): it is not scaled (--auto-scale-lr would multiply it by 2,'
    )
    assert _start(tmp_path, monkeypatch, 2, 2, base_batch_size=16)[1] == []
    assert _start(tmp_path, monkeypatch)[1] == []


def test_settings_that_are_not_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match='base_batch_size'):
        _start(tmp_path, monkeypatch, enable=True)
    with pytest.raises(ValueError, match="'cubic' must be 'linear' or 'sqrt'"):
        _start(tmp_path, monkeypatch, base_batch_size=4, rule='cubic')


def test_accumulation_that_does_not_divide_an_epoch_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, _ = _start(tmp_path, monkeypatch)
    said: list[str] = []
    monkeypatch.setattr(runner.logger, 'warning', lambda text, *_: said.append(text))
    for counts, number in ((3, 0), (4, 1)):
        runner.optim_wrapper._accumulative_counts = counts
        runner.scale_lr(runner.optim_wrapper, None)
        assert len(said) == number
    assert 'accumulative_counts=4 does not divide the 6 iterations' in said[0]


def test_accumulated_batches_move_the_weights_as_one(tmp_path: Path) -> None:
    """mmengine's steps and position agree with ours: 12 of 24 iterations."""
    ends = []
    for batch, counts in ((4, 1), (2, 2)):
        folder = tmp_path / str(batch)
        runner = toy_runner(
            folder,
            train_dataloader=dict(batch_size=batch),
            optim_wrapper=dict(accumulative_counts=counts, optimizer=_ADAM),
            param_scheduler=[dict(type='CosineAnnealingLR', by_epoch=True)],
        )
        runner.train()
        assert runner.message_hub.get_info('accumulative_counts') == counts
        runner.message_hub.pop_info('accumulative_counts')
        ends.append([p.detach().clone() for p in runner.model.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other)


def test_how_a_batch_reads() -> None:
    assert str(GlobalBatch(32, 2, 1)) == '64 (32 on 2 processes)'
    assert str(GlobalBatch(32, 1, 2)) == '64 (32 on 1 process, 2 iterations per step)'
