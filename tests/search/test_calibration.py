"""BN statistics of a path of a supernet that has no prepare_path."""

import pytest
import torch
from torch import Tensor, nn

from mmrel.search.calibration import DEFAULT_BATCHES, batches_needed, prepared


class _Supernet(nn.Module):
    """A path selects one of two convolutions; both share a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.choices = nn.ModuleList(nn.Conv2d(3, 5, 1) for _ in range(2))
        self.norm = nn.BatchNorm2d(5, momentum=0.3)
        self.dropout = nn.Dropout(0.9)

    def path_logits(self, inputs: Tensor, path: dict) -> Tensor:
        x = self.norm(self.choices[path['choice']](inputs))
        return self.dropout(x).mean((2, 3))[None]


def _batches(number: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(6, 3, 4, 4, generator=generator) for _ in range(number)]


@pytest.mark.parametrize('choice', [0, 1])
def test_the_statistics_are_the_averages_over_the_batches(choice: int) -> None:
    model = _Supernet().eval()
    outputs = [model.choices[choice](x).transpose(0, 1).flatten(1) for x in _batches()]
    mean = torch.stack([x.mean(1) for x in outputs]).mean(0)
    variance = torch.stack([x.var(1) for x in outputs]).mean(0)
    with prepared(model, dict(choice=choice), _batches()):
        assert not any(module.training for module in model.modules())
        torch.testing.assert_close(model.norm.running_mean, mean)
        torch.testing.assert_close(model.norm.running_var, variance)


def test_the_models_statistics_and_momentum_return_even_after_an_error() -> None:
    model = _Supernet()
    model.path_logits(_batches()[0], dict(choice=0))  # training: statistics of its own
    model.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(RuntimeError, match='stop'), prepared(model, dict(choice=1), _batches()):
        raise RuntimeError('stop')
    assert model.norm.momentum == 0.3
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_without_batches_the_running_statistics_are_used() -> None:
    model = _Supernet().eval()
    x, path = _batches()[0], dict(choice=0)
    expected = model.path_logits(x, path)
    with prepared(model, path, None):
        torch.testing.assert_close(model.path_logits(x, path), expected, rtol=0, atol=0)


def test_which_models_are_calibrated() -> None:
    assert batches_needed(_Supernet()) == DEFAULT_BATCHES
    assert batches_needed(nn.Linear(3, 3)) == 0
    assert batches_needed(nn.BatchNorm2d(3, track_running_stats=False)) == 0
    model = _Supernet()
    model.calibration_batches = 0  # turned off
    assert batches_needed(model) == 0
    model = _Supernet()
    model.prepare_path = lambda path, batches: None  # it calibrates itself
    assert batches_needed(model) == 0


def test_a_model_with_prepare_path_prepares_itself() -> None:
    model, calls = _Supernet(), []
    model.prepare_path = lambda path, batches: calls.append((path, len(batches)))
    with prepared(model, dict(choice=1), _batches(2)):
        assert model.norm.num_batches_tracked == 0
    assert calls == [(dict(choice=1), 2)]
