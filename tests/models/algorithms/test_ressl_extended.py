"""The extended ReSSL: predictor and InfoNCE warm-up."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.engine import AnyDeviceDataParallel
from mmrel.models.heads import InfoNCEHead, RelationHead
from mmrel.registry import MODELS
from tests.distributed import run_ranks
from tests.progress import at_iteration

PREDICTOR = dict(type='MLPNeck', hidden_channels=12, norm_cfg=dict(type='CpuSyncBN'))
WARMUP = dict(type='InfoNCEWarmup', epochs=2, temperature=0.2)
VIEWS = 3


def _build(**changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            dict(
                type='ReSSL',
                backbone=dict(
                    type='ResNetSmallImage',
                    depth=18,
                    stem_channels=4,
                    base_channels=4,
                    norm_cfg=dict(type='CpuSyncBN'),
                ),
                neck=dict(type='MLPNeck', hidden_channels=16, out_channels=8),
                head=dict(type='RelationHead'),
                memory=dict(type='FeatureQueue', size=20),
                teacher=dict(momentum=0.9),
            ),
            **changes,
        )
    )
    model.init_weights()
    return model.double()


def _views(seed: int = 1) -> list[Tensor]:
    torch.manual_seed(seed)
    return [torch.randn(8, 3, 16, 16, dtype=torch.float64) for _ in range(VIEWS)]


def _reference(model: nn.Module, views: list[Tensor], share: float) -> tuple[Tensor, dict]:
    """Loss and gradients as described, for a model before its first step."""
    *strong, weak = views
    memory = model.memory.read().clone()
    with torch.no_grad():
        z_teacher = F.normalize(model.teacher.neck(model.teacher.backbone(weak))[0])
    backbone_part, predictor_part = 0, 0
    for view in strong:
        p = model.neck(model.backbone(view))[0]
        z = F.normalize(p)
        contrast = InfoNCEHead(0.2)(z @ memory, (z * z_teacher).sum(1))
        q = F.normalize(model.predictor((p,))[0])
        relation = RelationHead()(q @ memory, z_teacher @ memory)
        backbone_part += (share * contrast + (1 - share) * relation) / len(strong)
        predictor_part += relation / len(strong)
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    gradients = {}
    for key, parameter in named:
        part = predictor_part if key.startswith('predictor') else backbone_part
        (gradients[key],) = torch.autograd.grad(part, parameter, retain_graph=True)
    return backbone_part, gradients


@pytest.mark.parametrize(
    ('transition', 'iteration', 'share'),
    [('switch', 0, 1), ('switch', 13, 1), ('switch', 14, 0), ('linear', 0, 1), ('linear', 7, 0.5),
     ('linear', 14, 0), ('linear', 60, 0)],
)  # fmt: skip
def test_losses_and_gradients_are_those_of_the_description(
    transition: str, iteration: int, share: float
) -> None:
    views = _views()
    config = dict(predictor=PREDICTOR, warmup=dict(WARMUP, transition=transition))
    expected_loss, expected = _reference(_build(**config), views, share)
    model = _build(**config)
    with at_iteration(iteration, 70, 10):
        losses = model(views, mode='loss')
    sum(losses.values()).backward()
    value = losses['loss_warmup'] + (1 - share) * losses['loss_main']
    torch.testing.assert_close(value, expected_loss)
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(
                parameter.grad, expected[key], rtol=1e-7, atol=1e-10, msg=key
            )


@pytest.mark.parametrize('share', [1.0, 0.25, 0.0])
def test_without_a_predictor_the_total_is_the_blend(share: float) -> None:
    views = _views()
    with at_iteration(round((1 - share) * 4), 20, 10):
        losses = _build(warmup=dict(WARMUP, transition='linear'))(views, mode='loss')
    with at_iteration(0, 20, 10):
        contrast = _build(head=dict(type='InfoNCEHead', temperature=0.2))(views, mode='loss')
    relation = _build()(views, mode='loss')
    torch.testing.assert_close(losses['loss_warmup'], share * contrast['loss'])
    torch.testing.assert_close(losses['loss_main'], (1 - share) * relation['loss'])


@pytest.mark.parametrize('predictor', [None, PREDICTOR])
@pytest.mark.parametrize('iteration', [7, 20])
def test_a_head_may_name_its_losses_and_log_more(iteration: int, predictor: dict | None) -> None:
    config, views = dict(predictor=predictor, warmup=dict(WARMUP, transition='linear')), _views(0)
    with at_iteration(iteration, 70, 10):
        expected = _build(**config)(views, mode='loss')
        model = _build(**config)
        loss = model.head.loss
        model.head.loss = lambda *relations: dict(
            loss_a=loss(*relations)['loss'],
            loss_b=loss(*relations)['loss'],
            sharpness=torch.ones(3),
        )
        losses = model(views, mode='loss')
    assert losses.keys() == {'loss_warmup', 'loss_main', 'sharpness'}
    torch.testing.assert_close(losses['loss_main'], 2 * expected['loss_main'])
    torch.testing.assert_close(losses['loss_warmup'], expected['loss_warmup'])


def _steps(model: nn.Module) -> tuple[list[Tensor], dict[str, Tensor]]:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    totals = []
    for seed in range(3):
        loss = sum(model(_views(seed), mode='loss').values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.detach())
    return totals, model.state_dict()


def test_a_warm_up_of_no_epochs_is_the_plain_method_bit_for_bit() -> None:
    plain, plain_state = _steps(_build())
    none, none_state = _steps(_build(warmup=dict(WARMUP, epochs=0)))
    assert all(torch.equal(a, b) for a, b in zip(plain, none, strict=True))
    assert plain_state.keys() == none_state.keys()
    for key, value in plain_state.items():
        assert torch.equal(none_state[key], value), key


def test_the_teacher_has_no_predictor() -> None:
    model = _build(predictor=PREDICTOR)
    assert not [key for key in model.teacher.state_dict() if 'predictor' in key]
    linear, _, _, last = model.predictor.mlp
    assert (linear.in_features, last.out_features) == (8, 8)
    with pytest.raises(ValueError, match=r'model\.predictor\.out_channels=9'):
        _build(predictor=dict(PREDICTOR, out_channels=9))


def _run(model: nn.Module, rows: slice) -> dict[str, Tensor]:
    """Steps in the warm-up, in the blend and after it."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for step, iteration in enumerate((0, 7, 20)):
        with at_iteration(iteration, 70, 10):
            loss = sum(model([view[rows] for view in _views(step)], mode='loss').values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return getattr(model, 'module', model).state_dict()


def _rank(rank: int, transition: str) -> dict[str, Tensor]:
    model = _build(predictor=PREDICTOR, warmup=dict(WARMUP, transition=transition))
    return _run(AnyDeviceDataParallel(model), slice(rank * 4, rank * 4 + 4))


@pytest.mark.parametrize('transition', ['switch', 'linear'])
def test_two_ranks_equal_one_with_the_whole_batch(transition: str) -> None:
    model = _build(predictor=PREDICTOR, warmup=dict(WARMUP, transition=transition))
    alone = _run(model, slice(None))
    for part in run_ranks(_rank, 2, transition):
        for key, value in alone.items():
            torch.testing.assert_close(part[key], value, rtol=1e-7, atol=1e-9, msg=key)
