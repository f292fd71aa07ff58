"""SimMatch as an algorithm: rank split, both teachers, precision, config, bad batches."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from torch import nn

from mmrel.engine import AnyDeviceDataParallel
from mmrel.registry import MODELS
from tests.distributed import run_ranks
from tests.progress import at_iteration

Batch = tuple[list[torch.Tensor], list[DataSample]]


def _config(norm: str = 'BN', eman: bool = False, **changes) -> dict:
    return dict(
        dict(
            type='SimMatch',
            backbone=dict(
                type='ResNetSmallImage',
                depth=18,
                stem_channels=4,
                base_channels=4,
                norm_cfg=dict(type=norm),
            ),
            num_classes=5,
            head=dict(type='PseudoLabelHead', threshold=0.3, loss_weight=10.0),
            neck=dict(type='MLPNeck', hidden_channels=16, out_channels=8),
            instance_head=dict(type='SimilarityMatchingHead', warmup=None, loss_weight=5.0),
            memory=dict(type='LabeledBank', size=12, momentum=0.7),
            alignment=dict(type='DistributionAlignment', size=3),
            teacher=dict(momentum=0.9, average_buffers=eman),
        ),
        **changes,
    )


def _build(*args, **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(_config(*args, **changes))
    model.init_weights()
    return model


def _samples(index: list[int], labels: list[int | None]) -> list[DataSample]:
    samples = [DataSample(metainfo=dict(sample_idx=i)) for i in index]
    return [s if y is None else s.set_gt_label(y) for s, y in zip(samples, labels, strict=True)]


def _batches(steps: int, labeled: int = 4, mu: int = 3) -> list[Batch]:
    torch.manual_seed(1)
    found = []
    for _ in range(steps):
        sizes = (labeled, mu * labeled, mu * labeled)
        views = [torch.randn(n, 3, 16, 16, dtype=torch.float64) for n in sizes]
        index = torch.randint(0, 12, (labeled,))
        classes = [None, *torch.randint(0, 5, (mu * labeled - 1,)).tolist()]
        found.append(
            (
                views,
                _samples(index.tolist(), (index % 5).tolist())
                + _samples(list(range(mu * labeled)), classes),
            )
        )
    return found


def _half(batch: Batch, rank: int) -> Batch:
    views, samples = batch
    number = len(views[0])
    parts = [slice(rank * len(v) // 2, (rank + 1) * len(v) // 2) for v in views]
    return (
        [view[part] for view, part in zip(views, parts, strict=True)],
        samples[:number][parts[0]] + samples[number:][parts[1]],
    )


def _train(model: nn.Module, batches: list[Batch]) -> dict:
    """Some SGD steps: the losses, the last gradients and the state after them."""
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.02, momentum=0.9, nesterov=True
    )
    model.train()
    found = []
    for i, batch in enumerate(batches):
        with at_iteration(i, max_iters=len(batches), max_epochs=1):
            losses = model(*batch, mode='loss')
        optimizer.zero_grad()
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimizer.step()
        found.append(torch.stack([losses[k].detach() for k in sorted(losses)]))
    inner = getattr(model, 'module', model)
    grads = {f'grad.{k}': p.grad for k, p in inner.named_parameters() if p.requires_grad}
    return dict(losses=torch.stack(found), **grads, **inner.state_dict())


_WARMUP = dict(type='SimilarityMatchingHead', warmup=dict(iters=1), loss_weight=5.0)


def _on_rank(rank: int, eman: bool, steps: int) -> dict:
    model = AnyDeviceDataParallel(
        _build('SyncBN', eman, instance_head=_WARMUP).double(), find_unused_parameters=True
    )
    return _train(model, [_half(batch, rank) for batch in _batches(steps)])


@pytest.mark.parametrize('eman', [False, True])
def test_two_ranks_equal_one_with_the_whole_batch(eman: bool) -> None:
    """Bank, alignment, teacher and warm-up; some images occur twice in a batch."""
    batches = _batches(4)
    alone = _train(_build('SyncBN', eman, instance_head=_WARMUP).double(), batches)
    parts = run_ranks(_on_rank, 2, eman, 4)
    losses = alone.pop('losses')
    torch.testing.assert_close((parts[0]['losses'] + parts[1]['losses']) / 2, losses)
    for part in parts:
        for key, value in alone.items():
            torch.testing.assert_close(part[key], value, rtol=1e-6, atol=1e-8, msg=key)
    assert {'memory.bank', 'memory.labels', 'alignment.queue'} <= alone.keys()
    assert alone['alignment.pointer'].item() == 4 % 3


def test_losses_are_the_heads_of_what_the_networks_give() -> None:
    """With BN in eval mode, so that the parts can be combined by hand."""
    (views, samples), = _batches(1)  # fmt: skip
    model = _build().double().eval()
    labeled, strong, weak = views
    bank, bank_labels = (x.clone() for x in model.memory.read())
    with torch.no_grad():
        features = {
            name: [m.backbone(v)[0].mean((2, 3)) for v in (labeled, view)]
            for name, m, view in (('s', model, strong), ('t', model.teacher, weak))
        }
        p = model.teacher.classifier(features['t'][1]).softmax(1)
        p = p / p.mean(0)
        p = p / p.sum(1, keepdim=True)
        z_t, z_s = (
            F.normalize(m.neck.mlp(features[name][1]), dim=1)
            for m, name in ((model.teacher, 't'), (model, 's'))
        )
        q = (z_t @ bank / 0.1).softmax(1)
        unfolded = q * p[:, bank_labels]
        unfolded = unfolded / unfolded.sum(1, keepdim=True)
        a = q @ F.one_hot(bank_labels, 5).double()
        target = 0.9 * p + 0.1 * a
        mask = target.max(1).values >= 0.3
        unlabeled = -(target * model.classifier(features['s'][1]).log_softmax(1)).sum(1)
        labels = torch.tensor([s.gt_label.item() for s in samples[:4]])
        expected = dict(
            loss_x=F.cross_entropy(model.classifier(features['s'][0]), labels),
            loss_u=10 * (unlabeled * mask).mean(),
            loss_in=-5 * (unfolded * (z_s @ bank / 0.1).log_softmax(1)).sum(1).mean(),
            utilisation=mask.double().mean(),
        )
        losses = model(views, samples, mode='loss')
    assert losses.pop('pseudo_label_accuracy') >= 0
    torch.testing.assert_close(losses, expected)


def test_the_teacher_moves_after_the_step_and_is_saved_so() -> None:
    model = _build().double().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    _train(model, _batches(1))
    after = model.state_dict()
    key = 'backbone.conv1.weight'
    assert not torch.equal(after[key], before[key])
    torch.testing.assert_close(after[f'teacher.{key}'], 0.9 * before[key] + 0.1 * after[key])


def test_the_teacher_has_no_gradient_and_the_rest_has() -> None:
    model = _build().double()
    losses = model(*_batches(1)[0], mode='loss')
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(p.grad is not None for n, p in model.named_parameters() if 'teacher' not in n)


def test_in_the_warm_up_the_projector_stays_as_it_is() -> None:
    model = _build(instance_head=_WARMUP).double()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    (views, samples), = _batches(1)  # fmt: skip
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1
    )
    with at_iteration(0, max_iters=4, max_epochs=1):
        losses = model(views, samples, mode='loss')
    assert losses['loss_in'].item() == 0
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    optimizer.step()
    after = model.state_dict()
    for key in ('neck.mlp.0.weight', 'neck.mlp.2.bias', 'teacher.neck.mlp.2.weight'):
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)
    for key in ('memory.bank', 'alignment.queue', 'classifier.weight', 'backbone.conv1.weight'):
        assert not torch.equal(after[key], before[key]), key


def test_unlabeled_classes_change_nothing_but_the_log() -> None:
    (views, samples), = _batches(1)  # fmt: skip
    with_classes = _build().double()(views, samples, mode='loss')
    without = _build().double()(views, samples[:4] + _samples([0] * 12, [None] * 12), mode='loss')
    assert with_classes.keys() - without.keys() == {'pseudo_label_accuracy'}
    del with_classes['pseudo_label_accuracy']
    torch.testing.assert_close(without, with_classes)


def test_without_the_instance_branch_there_are_pseudo_labels_alone() -> None:
    off = dict(neck=None, instance_head=None, memory=None)
    model = _build(**off).double()
    assert not any(k.startswith(('neck', 'memory', 'teacher.neck')) for k in model.state_dict())
    losses = model(*_batches(1)[0], mode='loss')
    assert 'loss_in' not in losses
    alpha_one = dict(_config()['instance_head'], alpha=1.0)
    whole = _build(instance_head=alpha_one).double()
    state = {k: v for k, v in whole.state_dict().items() if k in model.state_dict()}
    other = _build(**off).double()
    other.load_state_dict(state)
    expected = whole(*_batches(1)[0], mode='loss')
    expected.pop('loss_in')
    torch.testing.assert_close(other(*_batches(1)[0], mode='loss'), expected)


def test_predicts_with_either_network() -> None:
    model = _build().double()
    _train(model, _batches(2))
    model.eval()
    image = torch.randn(6, 3, 16, 16, dtype=torch.float64)
    scores = {}
    with torch.no_grad():
        for name, modules in (('student', model), ('teacher', model.teacher)):
            logits = modules.classifier(modules.backbone(image)[0].mean((2, 3)))
            samples = model.predict(image, network=name)
            scores[name] = torch.stack([s.pred_score for s in samples])
            torch.testing.assert_close(scores[name], logits.softmax(1))
            assert [s.pred_label.item() for s in samples] == logits.argmax(1).tolist()
        assert not torch.allclose(scores['student'], scores['teacher'])
        given = _samples([0] * 6, [0] * 6)
        default = model(image, given, mode='predict')
    assert default is given
    torch.testing.assert_close(torch.stack([s.pred_score for s in given]), scores['teacher'])
    with pytest.raises(ValueError, match="network='ema' must be one of"):
        model.predict(image, network='ema')


def test_losses_are_float32_under_autocast_and_near_the_full_ones() -> None:
    (views, samples), = _batches(1)  # fmt: skip
    views = [v.float() for v in views]
    model = _build()
    full = copy.deepcopy(model)(views, samples, mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        low = model(views, samples, mode='loss')
    assert all(low[k].dtype == torch.float32 for k in low)
    assert model.memory.read()[0].dtype == model.alignment.queue.dtype == torch.float32
    for key in ('loss_x', 'loss_in'):
        torch.testing.assert_close(low[key], full[key], rtol=0.05, atol=0)


def test_parts_follow_each_other_and_the_teacher_follows_the_student() -> None:
    model = _build(eman=True)
    assert model.neck.mlp[0].in_features == model.classifier.in_features == 4 * 8
    assert (model.memory.dim, model.num_classes, model.alignment.queue.shape[1]) == (8, 5, 5)
    assert (model.batch_shuffle, _build().batch_shuffle) == (False, True)
    state = model.state_dict()
    for key, value in state.items():
        if key.startswith('teacher.'):
            torch.testing.assert_close(value, state[key.removeprefix('teacher.')], rtol=0, atol=0)


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(memory=None), ValueError, 'model.memory is None: the instance branch needs'),
        (dict(neck=None, memory=None), ValueError, 'model.neck and model.memory is None'),
        (dict(memory=dict(type='LabeledBank', size=12, dim=9)), ValueError, 'memory.dim=9'),
        (dict(predict_with='both'), ValueError, "model.predict_with='both'"),
        (
            dict(batch_shuffle=True, teacher=dict(average_buffers=True)),
            ValueError,
            'model.batch_shuffle=True has no effect',
        ),
        (dict(teacher=dict(momentum=2)), ValueError, 'teacher.momentum=2'),
        (dict(alpha=0.9), TypeError, 'alpha'),
    ],
)
def test_config_errors_come_when_the_model_is_built(
    change: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message.replace('.', r'\.')):
        MODELS.build(_config(**change))


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (lambda v, s: (v[:2], s), ValueError, 'got batches of [4, 12] with 16 samples'),
        (lambda v, s: (v, s[4:]), ValueError, 'got batches of [4, 12, 12] with 12 samples'),
        (
            lambda v, s: (v, _samples([0, 1, 2, 3], [0, 1, 2, None]) + s[4:]),
            ValueError,
            'a labeled image has no gt_label',
        ),
        (
            lambda v, s: (v, [DataSample().set_gt_label(0) for _ in range(4)] + s[4:]),
            ValueError,
            'a labeled image has no sample_idx',
        ),
        (
            lambda v, s: (v, _samples([0, 1, 2, 12], [0, 1, 2, 3]) + s[4:]),
            IndexError,
            'labeled image 12 is outside the bank of 12 slots: set model.memory.size',
        ),
    ],
)
def test_a_wrong_batch_is_refused(change, error: type, message: str) -> None:
    for sign in '.[]':
        message = message.replace(sign, f'\\{sign}')
    with pytest.raises(error, match=message):
        _build().double()(*change(*_batches(1)[0]), mode='loss')


def test_the_teacher_moves_once_a_step_of_accumulated_gradients() -> None:
    """Three iterations per step, one in the last: the teacher moves only after steps."""
    model = _build().double()
    student, teacher = model.classifier.weight, model.teacher.classifier.weight
    expected = teacher.detach().clone()
    for i, batch in enumerate(_batches(7)):
        with at_iteration(i, max_iters=7, max_epochs=1, counts=3):
            model(*batch, mode='loss')
        torch.testing.assert_close(teacher.detach(), expected)
        if i in (2, 5, 6):
            student.data += 1.0
            expected = 0.9 * expected + 0.1 * student.detach()
    model.teacher.catch_up()
    torch.testing.assert_close(teacher.detach(), expected)
