"""One optimizer for the weights, one for the simplex-net, and none that would do harm."""

import copy

import pytest
from torch import nn

from mmrel.engine import KShotOptimWrapperConstructor
from mmrel.registry import MODELS
from tests.kshot import CELL_SPACE, MOBILE_SPACE

_SGD = dict(type='SGD', lr=0.1)


def test_k_shot_refuses_accumulated_gradients() -> None:
    simplex = dict(optimizer=_SGD)
    for change, key in (
        (dict(accumulative_counts=2), r'wrapper\.accumulative_counts=2'),
        (
            dict(simplex_net=dict(simplex, accumulative_counts=3)),
            r'wrapper\.simplex_net\.accumulative_counts=3',
        ),
    ):
        cfg = {**dict(optimizer=_SGD, simplex_net=simplex), **change}
        with pytest.raises(ValueError, match=key):
            KShotOptimWrapperConstructor(cfg)


@pytest.mark.parametrize('space', [MOBILE_SPACE, CELL_SPACE], ids=['mobile', 'cells'])
def test_decay_of_norms_is_set_by_name(space: dict) -> None:
    sgd = dict(type='SGD', lr=0.1, weight_decay=1e-4)
    cfg = dict(type='OptimWrapper', optimizer=sgd, simplex_net=dict(optimizer=sgd))
    with pytest.raises(ValueError, match=r'norm_decay_mult has no effect on layers with K weights'):
        KShotOptimWrapperConstructor(cfg, dict(norm_decay_mult=0))
    model = MODELS.build(
        dict(type='KShotNAS', space=space, k=3, warmup=None, simplex=dict(parts=4))
    )
    by_name = dict(custom_keys=dict(norm=dict(decay_mult=0)))
    groups = KShotOptimWrapperConstructor(cfg, by_name)(model)['weights'].optimizer.param_groups
    norms = {
        id(parameter)
        for module in model.modules()
        if hasattr(module, 'running_mean')
        for parameter in module.parameters()
    }
    assert norms
    for group in groups:
        for parameter in group['params']:
            assert (group['weight_decay'] == 0) == (id(parameter) in norms)


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.classifier = nn.Linear(2, 3), nn.Linear(3, 2)
        self.simplex_net = nn.Linear(4, 1)


def test_every_parameter_has_one_optimizer_and_its_settings() -> None:
    simplex = dict(optimizer=dict(type='Adam', lr=0.01))
    cfg = dict(type='OptimWrapper', optimizer=_SGD, clip_grad=dict(max_norm=5), simplex_net=simplex)
    before, model = copy.deepcopy(cfg), _Model()
    by_name = dict(custom_keys=dict(bias=dict(lr_mult=2.0)))
    wrappers = KShotOptimWrapperConstructor(cfg, by_name)(model)
    assert cfg == before
    rates = {
        name: {id(p): g['lr'] for g in wrapper.optimizer.param_groups for p in g['params']}
        for name, wrapper in wrappers.items()
    }
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[key]: rate for key, rate in rates['weights'].items()} == {
        'backbone.weight': 0.1, 'backbone.bias': 0.2, 'classifier.weight': 0.1,
        'classifier.bias': 0.2,
    }  # fmt: skip
    # paramwise_cfg is for the weights.
    assert {names[key]: rate for key, rate in rates['simplex_net'].items()} == {
        'simplex_net.weight': 0.01, 'simplex_net.bias': 0.01,
    }  # fmt: skip
    kinds = {name: type(wrapper.optimizer).__name__ for name, wrapper in wrappers.items()}
    assert kinds == dict(weights='SGD', simplex_net='Adam')
    assert all(wrapper.clip_grad_kwargs == dict(max_norm=5) for wrapper in wrappers.values())


def test_a_supernet_without_a_simplex_net_has_one_optimizer() -> None:
    model = _Model()
    del model.simplex_net
    wrappers = KShotOptimWrapperConstructor(dict(optimizer=_SGD, simplex_net=dict(optimizer=_SGD)))
    assert list(wrappers(model).keys()) == ['weights']
    with pytest.raises(KeyError, match=r'simplex_net\.optimizer is missing: .*its own optimizer'):
        KShotOptimWrapperConstructor(dict(optimizer=_SGD, simplex_net=dict(clip_grad=None)))
