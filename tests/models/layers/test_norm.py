"""Batch norms over all ranks and over parts of a batch."""

import pytest
import torch
from mmcv.cnn import build_norm_layer
from mmengine.registry import DefaultScope
from torch import nn

from mmrel.models.layers import CpuSyncBatchNorm, SplitBatchNorm2d, norm
from mmrel.registry import MODELS
from tests.distributed import run_ranks


def _backward(norm: nn.Module, x: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.clone().requires_grad_()
    y = norm(x)
    ((y - target) ** 3).sum().backward()
    return dict(
        y=y.detach(), x=x.grad, weight=norm.weight.grad, bias=norm.bias.grad,
        mean=norm.running_mean, var=norm.running_var, count=norm.num_batches_tracked,
    )  # fmt: skip


def _on_rank(rank: int, x: torch.Tensor, target: torch.Tensor) -> dict:
    half = slice(rank * 4, rank * 4 + 4)
    norm = CpuSyncBatchNorm(3).double()
    return _backward(norm, x[half], target[half])


def test_sync_bn_on_two_cpu_ranks_is_bn_on_the_whole_batch() -> None:
    x = torch.randn(8, 3, 5, 5).double() * 3 + 1
    target = torch.randn_like(x)
    whole = _backward(nn.BatchNorm2d(3).double(), x, target)
    parts = run_ranks(_on_rank, 2, x, target)
    for key in ('y', 'x'):
        torch.testing.assert_close(torch.cat([p[key] for p in parts]), whole[key])
    for key in ('weight', 'bias'):
        torch.testing.assert_close(parts[0][key] + parts[1][key], whole[key])
    for key in ('mean', 'var', 'count'):
        for part in parts:
            torch.testing.assert_close(part[key], whole[key])


def test_split_bn_is_bn_of_each_part() -> None:
    x = torch.randn(8, 3, 5, 5)
    norm = SplitBatchNorm2d(3, splits=4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    y = norm(x)
    means, variances = [], []
    for part in range(4):
        plain = nn.BatchNorm2d(3)
        plain.load_state_dict({**norm.state_dict(), **nn.BatchNorm2d(3).state_dict(),
                               'weight': norm.weight, 'bias': norm.bias})  # fmt: skip
        torch.testing.assert_close(y[part::4], plain(x[part::4]))
        means.append(plain.running_mean)
        variances.append(plain.running_var)
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))


@pytest.mark.parametrize(
    'settings', [dict(affine=False), dict(track_running_stats=False), dict(momentum=None)]
)
def test_split_bn_takes_the_settings_of_bn(settings: dict) -> None:
    norm = SplitBatchNorm2d(3, splits=4, **settings)
    plain = [nn.BatchNorm2d(3, **settings) for _ in range(4)]
    for x in torch.randn(3, 8, 3, 5, 5):
        y = norm(x)
        for part in range(4):
            torch.testing.assert_close(y[part::4], plain[part](x[part::4]))
    if norm.track_running_stats:
        for key in ('running_mean', 'running_var'):
            mean = torch.stack([getattr(bn, key) for bn in plain]).mean(0)
            torch.testing.assert_close(getattr(norm, key), mean)


def test_split_bn_in_eval_mode_is_plain_bn() -> None:
    x = torch.randn(6, 3, 5, 5)
    norm = SplitBatchNorm2d(3, splits=4).eval()
    torch.testing.assert_close(norm(x), nn.BatchNorm2d(3).eval()(x))


def test_split_bn_refuses_a_batch_that_does_not_split() -> None:
    with pytest.raises(ValueError, match=r'batch of 6 .*splits=4'):
        SplitBatchNorm2d(3, splits=4)(torch.randn(6, 3, 2, 2))


@pytest.mark.parametrize('kind', ['CpuSyncBN', 'SplitBN', 'BN'])
def test_all_norms_share_a_backbones_keys(kind: str) -> None:
    nets = [
        MODELS.build(dict(type='ResNet', depth=18, norm_cfg=dict(type=t))) for t in ('BN', kind)
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    wanted = dict(CpuSyncBN=CpuSyncBatchNorm, SplitBN=SplitBatchNorm2d, BN=nn.BatchNorm2d)[kind]
    assert type(nets[1].bn1) is wanted


@pytest.mark.parametrize(
    ('device', 'kind'), [('cpu', CpuSyncBatchNorm), ('cuda', nn.SyncBatchNorm)]
)
def test_sync_bn_is_chosen_when_a_model_is_built(
    mmrel_scope: None, monkeypatch: pytest.MonkeyPatch, device: str, kind: type
) -> None:
    monkeypatch.setattr(norm, 'get_device', lambda: device)
    name, layer = build_norm_layer(dict(type='SyncBN', eps=1e-3, requires_grad=False), 4, postfix=1)
    assert (name, type(layer), layer.eps) == ('bn1', kind, 1e-3)
    assert not layer.weight.requires_grad
    assert type(MODELS.build(dict(type='SyncBN', num_features=4))) is kind


def test_sync_bn_of_other_packages_is_theirs() -> None:
    with DefaultScope.overwrite_default_scope('mmengine'):
        _, layer = build_norm_layer(dict(type='SyncBN'), 4)
    assert isinstance(layer, nn.SyncBatchNorm)
