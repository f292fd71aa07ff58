"""Without first weights a network has its structure, settings and buffers."""

from collections.abc import Callable

import pytest
import torch
from mmengine.model.weight_init import trunc_normal_
from torch import nn

from mmrel.models.backbones import SearchedMobileNetV2, SearchedViT
from mmrel.models.init.first_weights import NoFirstWeights


def _networks() -> list[nn.Module]:
    layer = dict(out_channels=4, hidden_channels=4, kernel_size=3, stride=1, squeeze_channels=2)
    return [
        SearchedMobileNetV2([layer], stem_channels=2, first_channels=2, last_channels=4),
        SearchedViT(6, [dict(num_heads=2, qkv_dims=12, mlp_dims=8)], 16, 4, drop_path_rate=0.5),
    ]


def test_nothing_is_drawn_and_buffers_have_their_values() -> None:
    plain, state = _networks(), torch.get_rng_state()
    with NoFirstWeights():
        bare = _networks()
    assert torch.equal(torch.get_rng_state(), state)
    for one, other in zip(bare, plain, strict=True):
        shapes = {key: value.shape for key, value in one.state_dict().items()}
        assert shapes == {key: value.shape for key, value in other.state_dict().items()}
        for (key, value), expected in zip(one.named_buffers(), other.buffers(), strict=True):
            assert torch.equal(value, expected), key
        assert str(one) == str(other)


@pytest.mark.parametrize(
    'draw',
    [
        nn.init.normal_,
        nn.init.uniform_,
        nn.init.trunc_normal_,
        nn.init.xavier_normal_,
        nn.init.xavier_uniform_,
        nn.init.kaiming_normal_,
        nn.init.kaiming_uniform_,
        trunc_normal_,
    ],
)
def test_no_function_draws_a_weight(draw: Callable) -> None:
    weight, state = nn.Parameter(torch.empty(2, 2)), torch.get_rng_state()
    with NoFirstWeights():
        assert draw(weight) is weight
    assert torch.equal(torch.get_rng_state(), state)


def test_only_parameters_keep_what_was_there() -> None:
    parameter, buffer = nn.Parameter(torch.full((2, 2), 5.0)), torch.full((2, 2), 5.0)
    with NoFirstWeights():
        for x in (parameter, buffer):
            nn.init.ones_(x)
            nn.init.zeros_(x)
            nn.init.constant_(x, 3)
            with torch.no_grad():
                x.mul_(2).add_(1)
        computed = parameter * 2  # not in place
    assert (parameter == 5).all()
    assert (buffer == 7).all()
    assert (computed == 10).all()
    nn.init.constant_(parameter, 3)
    assert (parameter == 3).all()
