"""A run that diverged stops, and its good checkpoints stay."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmrel.engine.hooks import FiniteHook
from mmrel.engine.hooks.finite_hook import not_finite
from mmrel.registry import OPTIM_WRAPPERS
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY_KSHOT, TINY_VITAS, call, folders
from tests.distributed import run_ranks
from tests.engine.toy_runner import ToyModel, toy_runner


def _nan_at(*steps: int):
    return lambda model, step: math.nan if step in steps else 0.0


def _break_weight(model: ToyModel, step: int) -> None:
    if step == 5:
        model.unused.fill_(math.inf)


def _pth(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth'))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        toy_runner(tmp_path, _nan_at(5)).train()
    message = str(caught.value)
    assert '\n' not in message
    assert 'at iteration 5 (lr=0.125): loss_toy=nan, loss=nan' in message or (
        'at iteration 5 (lr=0.125): loss=nan, loss_toy=nan' in message
    )
    assert f'the last good checkpoint is {str(tmp_path / "epoch_1.pth")!r}' in message
    assert _pth(tmp_path) == ['epoch_1.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_1.pth')


def test_by_iteration_and_between_logged_lines(tmp_path: Path) -> None:
    # The gradient is finite: only the losses show it, at the 8th step, which is logged.
    logger = dict(type='LoggerHook', interval=4)
    runner = toy_runner(tmp_path, _nan_at(5, 8), by_iter=True, length=12, hooks=dict(logger=logger))
    with pytest.raises(RuntimeError, match='at iteration 8 '):
        runner.train()
    assert _pth(tmp_path) == ['iter_7.pth']


def test_patience_counts_logged_lines_in_a_row(tmp_path: Path) -> None:
    hooks = dict(finite=dict(type='FiniteHook', patience=1))
    toy_runner(tmp_path / 'a', _nan_at(4, 7), hooks=hooks).train()
    # There were non-finite losses before epochs 2 and 3 were saved: earlier checkpoints stay.
    assert _pth(tmp_path / 'a') == ['epoch_1.pth', 'epoch_2.pth', 'epoch_4.pth']
    # The hook's own state is not part of the run, so a resume does not warn about it.
    content = load_checkpoint_file(tmp_path / 'a' / 'epoch_4.pth')
    hub = content['message_hub']
    assert set(hub['resumed_keys']) <= {*hub['log_scalars'], *hub['runtime_info']}
    with pytest.raises(RuntimeError, match='at iteration 6 '):
        toy_runner(tmp_path / 'b', _nan_at(3, 5, 6), hooks=hooks).train()


@pytest.mark.parametrize('best', [False, True])
def test_weights_are_looked_at_before_a_checkpoint(tmp_path: Path, best: bool) -> None:
    # The losses stay finite, so no other check detects it.
    settings = dict(interval=50, save_last=False, save_best='score', rule='greater')
    hooks = dict(checkpoint=settings) if best else {}
    runner = toy_runner(tmp_path, _break_weight, val_interval=1, hooks=hooks)
    with pytest.raises(
        RuntimeError, match=r'at iteration [67] .*: state_dict\.unused has non-finite'
    ):
        runner.train()
    (kept,) = _pth(tmp_path)
    assert kept == ('best_score_epoch_1.pth' if best else 'epoch_1.pth')
    assert load_checkpoint_file(tmp_path / kept)['state_dict']['unused'].isfinite().all()


def test_states_of_the_optimizer_are_looked_at() -> None:
    content = dict(
        state_dict=dict(weight=torch.ones(2), step=torch.tensor(1)),
        optimizer=dict(state={0: dict(momentum_buffer=torch.tensor([1.0, math.nan]))}),
    )
    assert not_finite(content) == ['optimizer.state.0.momentum_buffer']


@OPTIM_WRAPPERS.register_module()
class _ScaledWrapper(OptimWrapper):
    """mmengine's ``AmpOptimWrapper``, on a CPU."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**127)

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        # The scaled gradient overflows for three steps.
        self.loss_scaler.scale(loss * 8).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs) -> None:
        self.loss_scaler.unscale_(self.optimizer)
        self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()


def test_steps_that_a_scaler_skips_are_normal(tmp_path: Path) -> None:
    wrapper = dict(
        type='_ScaledWrapper',
        optimizer=dict(type='SGD', lr=0.125),
        clip_grad=dict(max_norm=1.0),
    )
    runner = toy_runner(tmp_path, optim_wrapper=wrapper)
    runner.train()
    norms = runner.message_hub.get_scalar('train/grad_norm').data[0]
    assert not math.isfinite(norms[0])
    assert math.isfinite(norms[-1])


def test_a_gradient_norm_without_a_scaler_counts(tmp_path: Path) -> None:
    wrapper = dict(optimizer=dict(type='SGD', lr=0.125), clip_grad=dict(max_norm=1.0))

    def steep(model: ToyModel, step: int) -> torch.Tensor | float:
        # The square root of 0: the value is finite, the slope is not.
        return (model.weight * 0).sqrt().sum() if step == 2 else 0.0

    with pytest.raises(RuntimeError, match=r'at iteration 2 \(lr=0.125\): grad_norm=nan;'):
        toy_runner(tmp_path, steep, optim_wrapper=wrapper).train()


def _fake_runner(work_dir: str, value: float) -> SimpleNamespace:
    hub = MessageHub(name=f'fake{value}')
    hub.update_scalar('train/loss', value)
    hub.update_scalar('train/weights.lr', 0.5)
    return SimpleNamespace(
        message_hub=hub,
        optim_wrapper=OptimWrapperDict(),
        iter=9,
        max_iters=10,
        train_dataloader=[0],
        work_dir=work_dir,
        hooks=[],
    )


def _one_rank_diverges(rank: int, work_dir: str) -> str:
    try:
        FiniteHook().after_train_iter(_fake_runner(work_dir, math.nan if rank else 1.0), 0)
    except RuntimeError as error:
        return str(error)
    return 'went on'


def test_all_ranks_stop_together(tmp_path: Path) -> None:
    messages = run_ranks(_one_rank_diverges, 2, str(tmp_path))
    assert 'another process is not finite; no good checkpoint was written' in messages[0]
    assert 'iteration 10 (weights.lr=0.5): loss=nan' in messages[1]


def test_only_a_trainings_losses_count() -> None:
    hub = MessageHub(name='counting')
    for name in ('val/loss', 'train/time', 'train/pseudo_label_accuracy'):
        hub.log_scalars[name] = HistoryBuffer([math.nan], [1])
    runner = SimpleNamespace(
        message_hub=hub, optim_wrapper=None, iter=0, max_iters=9, train_dataloader=[0]
    )
    FiniteHook().after_train_iter(runner, 0)


@pytest.mark.parametrize('patience', [-1, 0.5])
def test_a_patience_that_is_not_valid(patience: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f'FiniteHook.patience={patience!r} must be')):
        FiniteHook(patience=patience)


@pytest.mark.slow
@pytest.mark.parametrize('config', [TINY_KSHOT, TINY_VITAS])
def test_every_method_stops(config: Path, images: Path, tmp_path: Path) -> None:
    options = [*folders(images), 'optim_wrapper.optimizer.lr=1e30']
    with pytest.raises(RuntimeError, match='training diverged at iteration'):
        call('train.py', config, '--work-dir', tmp_path, *options)
