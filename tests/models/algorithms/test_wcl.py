"""WCL as an algorithm: rank split, precision, config, crops, purity."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from torch import nn

from mmrel.engine import LARS, AnyDeviceDataParallel
from mmrel.models.heads import InstanceContrastHead, WeakLabelContrastHead, label_purity
from mmrel.models.layers import CpuSyncBatchNorm
from mmrel.registry import MODELS
from tests.distributed import run_ranks


def _config(norm: str = 'BN', everyone: bool = False, **changes) -> dict:
    return dict(
        dict(
            type='WCL',
            backbone=dict(
                type='ResNetSmallImage',
                depth=18,
                stem_channels=4,
                base_channels=4,
                norm_cfg=dict(type=norm),
            ),
            neck=dict(
                type='MLPNeck',
                num_layers=3,
                hidden_channels=16,
                out_channels=8,
                norm_cfg=dict(type='BN1d' if norm == 'BN' else norm),
            ),
            head=dict(type='InstanceContrastHead', all_rank_gradient=everyone),
            graph_head=dict(type='WeakLabelContrastHead', all_rank_gradient=everyone),
        ),
        **changes,
    )


def _build(*args, **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(_config(*args, **changes))
    model.init_weights()
    return model


def _views(sizes: tuple = (16, 16), batch: int = 12) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(batch, 3, px, px, dtype=torch.float64) for px in sizes]


def _train(model: nn.Module, steps: list[list[torch.Tensor]]) -> dict:
    """Some steps of LARS: the losses, the last gradients and the state after them."""
    optimizer = LARS(
        model.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-4, exclude_bias_and_norm=True
    )
    found = []
    for views in steps:
        losses = model(views, mode='loss')
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        found.append(torch.stack(list(losses.values())).detach())
    inner = getattr(model, 'module', model)
    grads = {f'grad.{k}': p.grad for k, p in inner.named_parameters()}
    return dict(losses=torch.stack(found), **grads, **inner.state_dict())


def _on_rank(rank: int, norm: str, steps: list) -> dict:
    half = slice(rank * 6, rank * 6 + 6)
    model = AnyDeviceDataParallel(_build(norm, everyone=True).double())
    return _train(model, [[v[half] for v in views] for views in steps])


@pytest.mark.parametrize('crops', [(), (12, 12)])
def test_two_ranks_equal_one_with_the_whole_batch(crops: tuple) -> None:
    steps = [_views((16, 16, *crops))] * 3
    alone = _train(_build('SyncBN', everyone=True).double(), steps)
    parts = run_ranks(_on_rank, 2, 'SyncBN', steps)
    losses = alone.pop('losses')
    torch.testing.assert_close((parts[0]['losses'] + parts[1]['losses']) / 2, losses)
    for part in parts:
        for key, value in alone.items():
            torch.testing.assert_close(part[key], value, rtol=1e-6, atol=1e-8, msg=key)


def test_sync_bn_is_the_projectors_too() -> None:
    model = _build('SyncBN')
    for neck in (model.neck, model.graph_neck):
        norms = [m for m in neck.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        assert len(norms) == 2
        wanted = nn.SyncBatchNorm if torch.cuda.is_available() else CpuSyncBatchNorm
        assert all(type(norm) is wanted for norm in norms)


def test_losses_are_the_heads_of_what_the_projectors_give() -> None:
    """With BN in eval mode, so that the parts can be combined by hand."""
    views = _views((16, 16, 12))
    model = _build().double().eval()
    losses = model(views, mode='loss')
    features = [model.backbone(v)[0].mean((2, 3)) for v in views]
    z, u = (
        torch.stack([F.normalize(neck.mlp(f), dim=1) for f in features])
        for neck in (model.neck, model.graph_neck)
    )
    torch.testing.assert_close(losses['loss_instance'], InstanceContrastHead()(z[:2], z[2:]))
    torch.testing.assert_close(losses['loss_graph'], WeakLabelContrastHead()(u[:2], u[2:])[0])
    assert not torch.allclose(z, u)


def test_each_view_has_batch_statistics_of_its_own() -> None:
    views = _views()
    model = _build().double()
    with torch.no_grad():
        # BN removes a view's scale and shift if its statistics are only that view's.
        shifted = model([views[0], 7 * views[1]], mode='loss')
        plain = model(views, mode='loss')
    torch.testing.assert_close(shifted, plain, rtol=1e-3, atol=0)
    assert model.neck.mlp[1].num_batches_tracked.item() == 4


def test_without_a_graph_there_are_instances_alone() -> None:
    config = _config()
    del config['graph_head']
    torch.manual_seed(0)
    model = MODELS.build(config).double()
    assert not any('graph' in name for name in model.state_dict())
    losses = model(_views(), mode='loss')
    assert losses.keys() == {'loss_instance'}
    both = _build().double()
    both.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(
        both(_views(), mode='loss')['loss_instance'], losses['loss_instance']
    )


def _samples(classes: list[int | None]) -> list[DataSample]:
    return [DataSample() if c is None else DataSample().set_gt_label(c) for c in classes]


def test_purity_is_logged_where_there_are_classes() -> None:
    views, model = _views(), _build().double().eval()
    classes = [0, 1, 2, None] * 3
    plain = model(views, mode='loss')
    assert plain.keys() == {'loss_instance', 'loss_graph'}
    assert model(views, _samples([None] * 12), mode='loss').keys() == plain.keys()
    losses = model(views, _samples(classes), mode='loss')
    u = torch.stack([model.embed(view)[1] for view in views])
    _, labels = model.graph_head(u)
    known = torch.tensor([-1 if c is None else c for c in classes])
    expected = sum(label_purity(label, known) for label in labels) / 2
    torch.testing.assert_close(losses['purity'], expected)
    total, logged = model.parse_losses(losses)
    torch.testing.assert_close(total, plain['loss_instance'] + plain['loss_graph'])
    assert 'purity' in logged


def _purity_on_rank(rank: int, views: list) -> dict:
    half = slice(rank * 6, rank * 6 + 6)
    model = _build().double().eval()
    samples = _samples([0, 1, 2] * 2 if rank else [None] * 6)  # one rank has no classes
    return model([v[half] for v in views], samples, mode='loss')


def test_a_rank_without_classes_does_not_hang_the_others() -> None:
    one, two = run_ranks(_purity_on_rank, 2, _views())
    assert 'purity' not in one
    assert 'purity' in two


def test_loss_is_float32_under_autocast_and_near_the_full_one() -> None:
    # Every image occurs twice, so bf16 does not change the nearest neighbors.
    views = [v.float().repeat(2, 1, 1, 1) for v in _views(batch=4)]
    model = _build()
    full = copy.deepcopy(model)(views, mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        low = model(views, mode='loss')
    for key in full:
        assert low[key].dtype == torch.float32
        torch.testing.assert_close(low[key], full[key], rtol=0.1, atol=0)


def test_projectors_follow_the_backbone() -> None:
    model = _build()
    assert model.neck.mlp[0].in_features == model.graph_neck.mlp[0].in_features == 4 * 8


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(head=dict(type='InstanceContrastHead', temperature=0)), ValueError, 'head.temp'),
        (
            dict(graph_head=dict(type='WeakLabelContrastHead', temperature=0)),
            ValueError,
            'graph_head.temperature=0',
        ),
        (dict(graph_head=None, graph_neck=dict(type='MLPNeck')), ValueError, 'model.graph_neck'),
        (dict(memory=dict()), TypeError, 'memory'),
    ],
)
def test_config_errors_come_when_the_model_is_built(
    change: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message.replace('.', r'\.')):
        MODELS.build(_config(**change))


def test_a_single_view_is_refused() -> None:
    with pytest.raises(ValueError, match='needs at least two views of an image, but got 1'):
        _build().double()(_views((16,)), mode='loss')
