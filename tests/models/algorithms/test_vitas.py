"""Training of the super-transformer: paths, loss, resume, several processes."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as mmengine_load
from mmpretrain.structures import DataSample
from torch import nn

from mmrel.engine import AnyDeviceDataParallel
from mmrel.evaluation import SideAccuracy
from mmrel.models import ViTAS
from mmrel.models.supernets import PathSampler
from mmrel.registry import MODELS
from tests.distributed import run_ranks
from tests.vitas import SMALL_MODEL, SMALL_SPACE, small_space


def _model(**changes: object) -> ViTAS:
    init_default_scope('mmrel')
    torch.manual_seed(0)
    built = MODELS.build(dict(copy.deepcopy(SMALL_MODEL), **changes))
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.3)
    return built


def _batch(n: int = 8) -> tuple[torch.Tensor, list[DataSample]]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, 16, 16, generator=generator)
    labels = torch.randint(0, 5, (n,), generator=generator).tolist()
    return images, [DataSample().set_gt_label(label) for label in labels]


def _labels(samples: list[DataSample]) -> torch.Tensor:
    return torch.cat([sample.gt_label for sample in samples])


def test_the_loss_is_of_the_sum_of_both_sides() -> None:
    model = _model().eval()
    images, samples = _batch()
    path = PathSampler(model.space).next()  # the step's path, drawn separately
    loss = model(images, samples, mode='loss')['loss']
    total = model.path_logits(images, path).sum(0)
    rows = total.log_softmax(1)[torch.arange(8), _labels(samples)]
    torch.testing.assert_close(loss, -rows.mean())


def test_mixed_labels_and_smoothing_meet_the_loss() -> None:
    head = dict(
        type='SlicedLinearClsHead',
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    )
    model = _model(head=head, train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)]))
    images, samples = _batch()
    path = PathSampler(model.space).next()
    data = model.data_preprocessor(dict(inputs=images, data_samples=samples), training=True)
    mixed, scores = data['inputs'], torch.stack([s.gt_score for s in data['data_samples']])
    assert not torch.equal(mixed, images)
    assert 0 < scores.max(1).values.min() <= scores.sum(1).max() <= 1 + 1e-6
    loss = model.eval()(mixed, data['data_samples'], mode='loss')['loss']
    target = 0.9 * scores + 0.1 / 5
    slow = -(target * model.path_logits(mixed, path).sum(0).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss, slow)


def test_validation_averages_the_sides() -> None:
    val_path = small_space().sample(np.random.default_rng(4))
    model = _model(val_path=val_path).eval()
    images, samples = _batch(32)
    with torch.no_grad():
        predicted = model(images, samples, mode='predict')
        logits = model.path_logits(images, val_path)
    labels = _labels(samples)
    metric = SideAccuracy(topk=(1, 2))
    metric.process(None, [sample.to_dict() for sample in predicted])
    values = metric.evaluate(32)
    for k in (1, 2):
        hits = [
            label in row.argsort(descending=True)[:k]
            for side in logits
            for row, label in zip(side, labels, strict=True)
        ]
        assert values[f'accuracy/top{k}'] == pytest.approx(100 * np.mean(hits))
    together = torch.cat([sample.pred_label for sample in predicted])
    assert torch.equal(together, logits.sum(0).argmax(1))


def test_largest_is_the_default_of_validation() -> None:
    model = _model()
    assert model.val_path == model.space.largest()
    assert model.prepare_path(model.val_path, None) is None
    assert model.calibration_batches == 0


def test_a_resumed_run_meets_the_same_paths() -> None:
    one, other = _model(sampler=dict(seed=7)), _model()
    for _ in range(5):
        one.sampler.next()
    # As mmengine writes and reads checkpoints.
    mmengine_load(other, get_state_dict(one), strict=True)
    assert [other.sampler.next() for _ in range(4)] == [one.sampler.next() for _ in range(4)]


def test_a_checkpoint_of_another_space_is_refused() -> None:
    state = _model(space=dict(SMALL_SPACE, heads=(1, 4), num_classes=5)).state_dict()
    with pytest.raises(ValueError, match=r'another search space: choices\.block0\.heads is \[1, 4'):
        _model().load_state_dict(state)
    with pytest.raises(ValueError, match='mlp_dims is 40 in the checkpoint, but 32 in the config'):
        mmengine_load(_model(), _model(space=dict(SMALL_SPACE, mlp_dims=40)).state_dict())
    # How paths are sampled is not part of a space.
    _model().load_state_dict(_model(space=dict(SMALL_SPACE, identity_probability=0.1)).state_dict())


def test_every_projection_trains_in_random_steps() -> None:
    # The smallest network: the test is which projections move, and that they keep moving.
    model = _model(space=dict(SMALL_SPACE, embed_dims=10, mlp_dims=8, qkv_dims=48)).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    images, samples = _batch(2)
    projections = {name: p for name, p in model.named_parameters() if '.attn.qk.' in name}
    moves = dict.fromkeys(projections, 0)
    late = dict.fromkeys(projections, False)
    for step in range(200):
        before = {name: p.detach().clone() for name, p in projections.items()}
        optimizer.zero_grad()
        model(images, samples, mode='loss')['loss'].backward()
        optimizer.step()
        for name, p in projections.items():
            moved = not torch.equal(p, before[name])
            moves[name] += moved
            # Still trained in later steps.
            late[name] |= moved and step >= 100
    assert len(projections) == 3 * 2 * 2
    assert all(late.values()), late
    weights = [n for name, n in moves.items() if name.endswith('.weight')]
    # Each of two head choices in (1 - 0.5) / 2 of the steps.
    np.testing.assert_allclose(np.array(weights) / 200, 0.25, atol=0.12)


def _ranked(rank: int, size: int) -> dict[str, torch.Tensor]:
    """The state after three steps on this rank's part of the batch."""
    model = _model().double().eval()
    wrapped = model
    if size > 1:
        wrapped = AnyDeviceDataParallel(model, find_unused_parameters=True)
    images, samples = _batch(8)
    part = slice(rank * 8 // size, (rank + 1) * 8 // size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        wrapped(images[part].double(), samples[part], mode='loss')['loss'].backward()
        optimizer.step()
    return dict(model.state_dict())


def test_two_processes_are_one_with_the_whole_batch() -> None:
    (alone,) = [_ranked(0, 1)]
    for state in run_ranks(_ranked, 2, 2):
        assert state.keys() == alone.keys()
        for key, value in alone.items():
            torch.testing.assert_close(state[key], value, msg=key)
    assert alone['sampler.state'].tolist() == [0, 3]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(val_path='widest'), r'model\.val_path: a path must be a dict'),
        (dict(val_path=dict(patch=4)), r"model\.val_path: the path lacks 'block0\.heads'"),
        (
            dict(head=dict(type='SlicedLinearClsHead', num_classes=7)),
            r'model\.head\.num_classes=7 differs from model\.space\.num_classes=5',
        ),
        (dict(data_preprocessor=dict(num_classes=7)), r'data_preprocessor\.num_classes=7'),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _model(**changes)
