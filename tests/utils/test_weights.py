"""Loading into a built model: the whole, the backbone alone, or nothing."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mmrel.utils.weights import load_weights


def _model() -> nn.Module:
    return nn.ModuleDict(
        dict(backbone=nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), head=nn.Linear(3, 1))
    )


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / 'x.pth'


def test_a_whole_checkpoint_fills_the_model(file: Path) -> None:
    model, other = _model(), _model()
    state = {f'module.{key}': value for key, value in other.state_dict().items()}
    del state['module.backbone.1.num_batches_tracked']  # as old versions of torch wrote it
    torch.save(dict(state_dict=state, meta=dict(dataset_meta=dict(classes=('a', 'b')))), file)
    load_weights(model, str(file))
    torch.testing.assert_close(_state(model), _state(other), rtol=0, atol=0)
    assert model._dataset_meta == dict(classes=('a', 'b'))
    assert not model._backbone_alone


def test_a_file_of_the_backbone_leaves_the_rest(file: Path) -> None:
    model, other = _model(), _model()
    head = model['head'].weight.clone()
    state = {k: v for k, v in other.state_dict().items() if k.startswith('backbone.')}
    torch.save(dict(state_dict=state), file)
    load_weights(model, str(file))
    torch.testing.assert_close(_state(model['backbone']), _state(other['backbone']))
    assert torch.equal(model['head'].weight, head)
    assert model._backbone_alone
    assert model._dataset_meta == {}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('head.bias'), r'fit all of ModuleDict:\n  1 missing .*: head\.bias\. A f'),
        (lambda s: s.update(x=torch.ones(1)), r'1 unexpected in the checkpoint: x\..*publish_mode'),
        (lambda s: s.update({'head.bias': torch.ones(2)}), r'head\.bias \(model \(1,\), check'),
        (lambda s: s.update({'head.bias': torch.tensor([torch.inf])}), 'has NaN or infinite'),
        (lambda s: [s.pop(k) for k in ('head.bias', 'head.weight', 'backbone.0.bias')],
         r'fit the backbone of ModuleDict:\n  1 missing in the checkpoint: backbone\.0\.bias$'),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_changes_nothing(file: Path, change: object, message: str) -> None:
    model, state = _model(), _state(_model())
    change(state)
    torch.save(dict(state_dict=state), file)
    before = _state(model)
    with pytest.raises(RuntimeError, match=message) as caught:
        load_weights(model, str(file))
    assert str(file) in str(caught.value)
    torch.testing.assert_close(_state(model), before, rtol=0, atol=0)
