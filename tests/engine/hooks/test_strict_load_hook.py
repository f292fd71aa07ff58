"""A checkpoint that does not fit the run completely stops it, except for a backbone alone."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from mmrel.engine.hooks import StrictLoadHook


def _model() -> nn.Module:
    return nn.ModuleDict(dict(backbone=nn.Linear(2, 3), head=nn.Linear(3, 1)))


def _runner(model: nn.Module, test_loop: object = None, **changes: object) -> SimpleNamespace:
    return SimpleNamespace(model=model, _train_loop=None, _test_loop=test_loop, **changes)


def _backbone() -> dict[str, Tensor]:
    return {'backbone.weight': torch.full((3, 2), 7.0), 'backbone.bias': torch.full((3,), 7.0)}


def _load(hook: StrictLoadHook, runner: SimpleNamespace, state: dict) -> dict[str, Tensor]:
    checkpoint = dict(state_dict=state)
    hook.after_load_checkpoint(runner, checkpoint)
    return checkpoint['state_dict']


def test_all_differences_are_listed() -> None:
    state = dict(_backbone(), **{'head.weight': torch.ones(2, 3), 'neck.bias': torch.ones(1)})
    state['backbone.bias'] = state['backbone.bias'].long()
    with pytest.raises(RuntimeError) as caught:
        _load(StrictLoadHook(), _runner(_model()), state)
    assert str(caught.value) == (
        'the checkpoint does not fit ModuleDict of this config:\n'
        '  1 missing in the checkpoint: head.bias; 1 unexpected in the checkpoint: neck.bias; '
        '1 with a different shape: head.weight (model (1, 3), checkpoint (2, 3)); '
        '1 with a different type: backbone.bias (model torch.float32, checkpoint torch.int64)'
    )


def test_a_backbone_alone_is_accepted_where_the_run_uses_only_that() -> None:
    model, kNN = _model(), SimpleNamespace(uses_backbone_alone=True)
    for hook, loop in ((StrictLoadHook(backbone_alone=True), None), (StrictLoadHook(), kNN)):
        state = _load(hook, _runner(model, loop), _backbone())
        model.load_state_dict(state)  # whole: the head's weights are its own
        assert torch.equal(state['head.weight'], model.head.weight)
        assert (model.backbone.weight == 7).all()
    for loop in (None, SimpleNamespace(uses_backbone_alone=False)):
        with pytest.raises(RuntimeError, match=r'2 missing .*: head\.weight, head\.bias'):
            _load(StrictLoadHook(), _runner(model, loop), _backbone())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'backbone.bias': None}, '1 missing in the checkpoint: backbone.bias$'),
        ({'backbone.scale': torch.ones(1)}, '1 unexpected in the checkpoint: backbone.scale$'),
        ({'backbone.bias': torch.ones(4)}, '1 with a different shape: backbone.bias'),
        # With a part of the head it is no backbone alone.
        ({'head.bias': torch.ones(1)}, '1 missing in the checkpoint: head.weight$'),
    ],
)
def test_a_backbone_alone_must_fit_and_be_alone(changes: dict, message: str) -> None:
    state = {k: v for k, v in (_backbone() | changes).items() if v is not None}
    with pytest.raises(RuntimeError, match=message):
        _load(StrictLoadHook(backbone_alone=True), _runner(_model()), state)


def test_a_resumed_run_needs_more_than_the_weights() -> None:
    model = _model()
    runner = _runner(model, resuming=True, optim_wrapper=None, param_schedulers=None)
    with pytest.raises(RuntimeError, match='has no optimizer state to resume from: start a new'):
        _load(StrictLoadHook(), runner, model.state_dict())
    runner.resuming = False
    assert _load(StrictLoadHook(), runner, model.state_dict()).keys() == model.state_dict().keys()
