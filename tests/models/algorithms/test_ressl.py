"""ReSSL as an algorithm: rank split, precision, config, multi-crop."""

import copy

import pytest
import torch
from torch import nn

from mmrel.engine import AnyDeviceDataParallel
from mmrel.registry import MODELS
from tests.distributed import run_ranks
from tests.progress import at_iteration


def _config(norm: str = 'BN', **changes) -> dict:
    return dict(
        dict(
            type='ReSSL',
            backbone=dict(
                type='ResNetSmallImage',
                depth=18,
                stem_channels=4,
                base_channels=4,
                norm_cfg=dict(type=norm),
            ),
            neck=dict(type='MLPNeck', hidden_channels=16, out_channels=8),
            head=dict(type='RelationHead'),
            memory=dict(type='FeatureQueue', size=20),
            teacher=dict(momentum=0.9),
        ),
        **changes,
    )


def _build(norm: str = 'BN', **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(_config(norm, **changes))
    model.init_weights()
    return model


def _views(steps: int, batch: int = 8, views: int = 2) -> list[list[torch.Tensor]]:
    torch.manual_seed(1)
    return [
        [torch.randn(batch, 3, 16, 16, dtype=torch.float64) for _ in range(views)]
        for _ in range(steps)
    ]


def _train(model: nn.Module, steps: list[list[torch.Tensor]], bn_eval: bool) -> dict:
    """Some SGD steps: the losses, the last gradients and the state after them."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for views in steps:
        model.train()
        if bn_eval:
            for module in model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        loss = model(views, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    inner = getattr(model, 'module', model)
    grads = {f'grad.{k}': p.grad for k, p in inner.named_parameters() if p.requires_grad}
    return dict(losses=torch.stack(losses), **grads, **inner.state_dict())


def _on_rank(rank: int, norm: str, bn_eval: bool, steps: list) -> dict:
    half = slice(rank * 4, rank * 4 + 4)
    model = AnyDeviceDataParallel(_build(norm).double())
    return _train(model, [[v[half] for v in views] for views in steps], bn_eval)


@pytest.mark.parametrize(('norm', 'bn_eval'), [('CpuSyncBN', False), ('BN', True)])
def test_two_ranks_equal_one_with_the_whole_batch(norm: str, bn_eval: bool) -> None:
    steps = _views(4)
    alone = _train(_build(norm).double(), steps, bn_eval)
    parts = run_ranks(_on_rank, 2, norm, bn_eval, steps)
    losses = alone.pop('losses')
    torch.testing.assert_close((parts[0]['losses'] + parts[1]['losses']) / 2, losses)
    for part in parts:
        for key, value in alone.items():
            torch.testing.assert_close(part[key], value, rtol=1e-7, atol=1e-9, msg=key)
    assert alone['memory.pointer'].item() == 4 * 8 % 20


def test_multi_crop_is_the_mean_over_the_views() -> None:
    (views,) = _views(1, views=4)
    model = _build().double().eval()
    together = copy.deepcopy(model)(views, mode='loss')['loss']
    alone = [copy.deepcopy(model)([view, views[-1]], mode='loss')['loss'] for view in views[:-1]]
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_a_weak_view_of_another_size_goes_to_the_teacher() -> None:
    model = _build().double()
    views = [torch.randn(8, 3, px, px, dtype=torch.float64) for px in (16, 12, 20)]
    seen = []
    model.teacher.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-1]))
    model(views, mode='loss')
    assert seen == [20]


def test_the_teacher_starts_as_the_student_and_has_no_gradient() -> None:
    model = _build()
    state = model.state_dict()
    for key, value in state.items():
        if key.startswith('teacher.'):
            torch.testing.assert_close(value, state[key.removeprefix('teacher.')], rtol=0, atol=0)
    model([v.float() for v in _views(1)[0]], mode='loss')['loss'].backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(p.grad is not None for n, p in model.named_parameters() if 'teacher' not in n)


def test_loss_is_float32_under_autocast_and_near_the_full_one() -> None:
    views = [v.float() for v in _views(1)[0]]
    model = _build()
    full = copy.deepcopy(model)(views, mode='loss')['loss']
    with torch.autocast('cpu', torch.bfloat16):
        low = model(views, mode='loss')['loss']
    assert low.dtype == torch.float32
    assert model.memory.read().dtype == torch.float32
    torch.testing.assert_close(low, full, rtol=0.02, atol=0)


def test_projector_and_memory_follow_the_backbone() -> None:
    model = _build()
    assert model.neck.mlp[0].in_features == 4 * 8
    assert model.memory.dim == 8


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(memory=dict(type='FeatureQueue', size=20, dim=9)), ValueError, 'memory.dim=9'),
        (dict(memory=dict(type='FeatureQueue', size=0)), ValueError, 'memory.size=0'),
        (dict(teacher=dict(momentum=-1)), ValueError, 'teacher.momentum=-1'),
        (dict(teacher=dict(momentun=0.9)), TypeError, 'momentun'),
        (dict(batch_shufle=True), TypeError, 'batch_shufle'),
    ],
)
def test_config_errors_come_when_the_model_is_built(
    change: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message.replace('.', r'\.')):
        MODELS.build(_config(**change))


def test_a_global_batch_larger_than_the_memory_is_refused() -> None:
    model = _build(memory=dict(type='FeatureQueue', size=6)).double()
    with pytest.raises(ValueError, match='global batch of 8 is larger than the memory'):
        model(_views(1)[0], mode='loss')


def test_the_teacher_moves_once_a_step_of_accumulated_gradients() -> None:
    """Two iterations per step: the teacher equals one updated by hand once per step."""
    model = _build(batch_shuffle=False).double()
    student, teacher = model.neck.parameters, model.teacher.neck.parameters
    generator = torch.Generator().manual_seed(2)
    for i, views in enumerate(_views(6)):
        before = [p.detach().clone() for p in teacher()]
        with at_iteration(i, max_iters=6, max_epochs=1, counts=2):
            model(views, mode='loss')
        for old, new, other in zip(before, teacher(), student(), strict=True):
            expected = 0.9 * old + 0.1 * other.detach() if i % 2 == 0 else old
            torch.testing.assert_close(new, expected)
        # The memory takes each iteration's embeddings.
        model.memory.read()
        assert model.memory.pointer.item() == 8 * (i + 1) % 20
        if i % 2:  # the optimizer's step
            for parameter in student():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.data += noise
