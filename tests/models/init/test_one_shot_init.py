"""K noisy copies of one set of weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmrel.models.init import OneShotInit
from mmrel.models.supernets import SpaceIdentity
from tests.vitas import small_space


class _Supernet(nn.Module):
    """K stacked weights, with all that a K-shot model has besides."""

    def __init__(self, k: int, **space: object) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(k, 40, 50))
        self.zero = nn.Parameter(torch.zeros(k, 3))
        self.register_buffer('running_mean', torch.randn(4))
        self.register_buffer('progress', torch.tensor([k]))
        self.simplex_net = nn.Linear(2, k)
        self.identity = SpaceIdentity(small_space(**space))


def _save(tmp_path: Path, model: nn.Module) -> str:
    file = tmp_path / 'one.pth'
    torch.save(dict(state_dict=model.state_dict()), file)
    return str(file)


def test_each_copy_has_its_own_noise_of_the_given_size(tmp_path: Path) -> None:
    one, many = _Supernet(1), _Supernet(3)
    with torch.no_grad():
        one.weight.mul_(20).add_(30)
    before = {key: value.clone() for key, value in many.state_dict().items()}
    OneShotInit(_save(tmp_path, one), noise=0.1, seed=4)(many)
    rms = (20**2 + 30**2) ** 0.5
    noise = (many.weight - one.weight).detach() / rms
    assert noise.std((1, 2)).tolist() == pytest.approx([0.1] * 3, rel=0.1)
    assert noise.mean((1, 2)).tolist() == pytest.approx([0] * 3, abs=0.01)
    # The copies are independent.
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(3)
    assert correlation.abs().max() < 0.1
    assert not many.zero.any()
    assert torch.equal(many.running_mean, one.running_mean)
    for key in ('progress', 'simplex_net.weight', 'simplex_net.bias'):
        assert torch.equal(many.state_dict()[key], before[key]), key


def test_the_noise_depends_only_on_the_seed(tmp_path: Path) -> None:
    file, found = _save(tmp_path, _Supernet(1)), []
    for number, seed in ((1, 4), (2, 4), (3, 5)):
        torch.manual_seed(number)
        model = _Supernet(2)
        OneShotInit(file, seed=seed)(model)
        found.append(model.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    model = _Supernet(3)
    before = model.weight.detach().clone()
    file = _save(tmp_path, _Supernet(2))
    with pytest.raises(RuntimeError) as caught:
        OneShotInit(file)(model)
    assert f"'{file}' is not a K = 1 supernet of this space" in str(caught.value)
    assert 'weight (expected (1, 40, 50), checkpoint (2, 40, 50))' in str(caught.value)
    lacking = _Supernet(1)
    del lacking.running_mean
    with pytest.raises(RuntimeError, match='1 missing in the checkpoint: running_mean'):
        OneShotInit(_save(tmp_path, lacking))(model)
    # The space comes first: with another one shapes differ too.
    with pytest.raises(ValueError, match='num_classes is 9 in the checkpoint, but 5 in the config'):
        OneShotInit(_save(tmp_path, _Supernet(2, num_classes=9)))(model)
    broken = _Supernet(1)
    nn.init.constant_(broken.zero, float('nan'))
    with pytest.raises(RuntimeError, match='zero'):
        OneShotInit(_save(tmp_path, broken))(model)
    assert torch.equal(model.weight, before)


def test_settings_are_checked_before_anything_is_read() -> None:
    with pytest.raises(
        ValueError, match=r'init_cfg\.checkpoint is empty: .*model\.init_cfg\.check'
    ):
        OneShotInit('')
    with pytest.raises(ValueError, match=r'init_cfg\.noise=-0\.1 must not be negative'):
        OneShotInit('x.pth', noise=-0.1)
