"""Projectors and predictors against plain arithmetic."""

import pytest
import torch

from mmrel.models.necks import MLPNeck


def test_linear_layers_with_a_relu_between_them() -> None:
    """On the average of the last map."""
    neck = MLPNeck(3, 4, 2, num_layers=3).double()
    maps = [torch.zeros(5, 9, 4, 4), torch.randn(5, 3, 2, 3, dtype=torch.float64)]
    x = torch.stack([maps[-1][:, c].flatten(1).mean(1) for c in range(3)], dim=1)
    state = neck.state_dict()
    assert list(state) == [f'mlp.{i}.{key}' for i in (0, 2, 4) for key in ('weight', 'bias')]
    for i in (0, 2, 4):
        x = x @ state[f'mlp.{i}.weight'].T + state[f'mlp.{i}.bias']
        if i < 4:
            x = x * (x > 0)
    (out,) = neck(maps)
    torch.testing.assert_close(out, x)


def test_a_norm_comes_before_each_relu_and_not_at_the_end() -> None:
    neck = MLPNeck(3, 4, 2, norm_cfg=dict(type='BN1d', eps=1e-3)).double().train()
    x = torch.randn(6, 3, dtype=torch.float64)
    first, norm, _, last = neck.mlp
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    hidden = x @ first.weight.T + first.bias
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-3).sqrt()
    hidden = (hidden * norm.weight + norm.bias).clamp(min=0)
    torch.testing.assert_close(neck(x)[0], hidden @ last.weight.T + last.bias)


def test_one_layer_is_linear() -> None:
    neck, x = MLPNeck(3, 4, 2, num_layers=1, norm_cfg=dict(type='BN1d')), torch.randn(6, 3)
    assert neck.mlp[-1].weight.shape == (2, 3)
    torch.testing.assert_close(neck(2 * x)[0] + neck(-2 * x)[0], 2 * neck(0 * x)[0])
    with pytest.raises(ValueError, match=r'neck\.num_layers=0 must be at least 1'):
        MLPNeck(3, 4, 2, num_layers=0)
