import pytest
import torch
import torch.nn.functional as F

from mmrel.models.heads import SimilarityMatchingHead, aggregate, unfold
from mmrel.models.memories import LabeledBank
from tests.progress import at_iteration


def _similarities(b: int = 5, n: int = 12, c: int = 4) -> tuple[torch.Tensor, ...]:
    student, teacher = torch.rand(2, b, n, dtype=torch.float64) * 2 - 1
    p = torch.randn(b, c, dtype=torch.float64).softmax(1)
    return student, teacher, p, torch.randint(0, c, (n,))


def _head(**changes) -> SimilarityMatchingHead:
    return SimilarityMatchingHead(**dict(dict(warmup=None), **changes))


def test_targets_and_loss_are_the_equations() -> None:
    student, teacher, p, labels = _similarities()
    head = _head(student_temperature=0.2, teacher_temperature=0.05, alpha=0.7, loss_weight=3.0)
    semantic, instance = head.targets(teacher, p, labels)
    q = (teacher / 0.05).exp()
    q = q / q.sum(1, keepdim=True)
    torch.testing.assert_close(instance, unfold(q, p, labels))
    torch.testing.assert_close(semantic, 0.7 * p + 0.3 * aggregate(q, labels, 4))
    rows = [
        F.cross_entropy((student[i] / 0.2)[None], instance[i][None]) for i in range(len(student))
    ]
    losses = head.loss(student, instance)
    torch.testing.assert_close(losses['loss_in'], 3 * torch.stack(rows).mean())


def test_alpha_one_switches_aggregation_off() -> None:
    _, teacher, p, labels = _similarities()
    semantic, instance = _head(alpha=1.0).targets(teacher, p, labels)
    torch.testing.assert_close(semantic, p, rtol=0, atol=0)
    torch.testing.assert_close(instance, _head(alpha=0.5).targets(teacher, p, labels)[1])


def test_a_uniform_semantic_label_leaves_the_instance_target() -> None:
    _, teacher, p, labels = _similarities()
    _, instance = _head().targets(teacher, torch.full_like(p, 0.25), labels)
    torch.testing.assert_close(instance, (teacher / 0.1).softmax(1))


@pytest.mark.parametrize(
    ('length', 'iteration', 'epochs', 'active'),
    [
        (dict(warmup=dict(epochs=1)), 9, 4, False),
        (dict(warmup=dict(epochs=1)), 10, 4, True),
        (dict(warmup=dict(epochs=0.5)), 4, 4, False),
        (dict(warmup=dict(epochs=0.5)), 5, 4, True),
        (dict(warmup_epochs=1, warmup_iters=None), 9, 4, False),  # before version 0.2
        (dict(warmup_epochs=1, warmup_iters=None), 10, 4, True),
        (dict(warmup=dict(iters=7)), 6, 1, False),
        (dict(warmup=dict(iters=7)), 7, 1, True),
    ],
)
def test_in_the_warm_up_the_branch_is_off(
    length: dict, iteration: int, epochs: int, active: bool
) -> None:
    student, teacher, p, labels = _similarities()
    head = _head(**length)
    student.requires_grad_()
    with at_iteration(iteration, max_iters=40, max_epochs=epochs):
        semantic, instance = head.targets(teacher, p, labels)
        loss = head.loss(student, instance)['loss_in']
    assert (instance is not None) == active
    assert torch.equal(semantic, p) != active
    assert (loss.item() > 0) == active
    assert loss.requires_grad == active  # no gradient, so no decay: not a gradient of 0


def test_by_default_the_warm_up_lasts_one_epoch() -> None:
    assert SimilarityMatchingHead().warmup.epochs == 1


def test_a_warm_up_needs_the_length_of_the_run() -> None:
    _, teacher, p, labels = _similarities()
    with pytest.raises(RuntimeError, match=r'instance_head\.warmup\.epochs needs the length'):
        _head(warmup=dict(epochs=1)).targets(teacher, p, labels)


def test_a_bank_of_128k_slots_in_bf16_gives_finite_losses() -> None:
    """In bf16 the softmax over the bank would be 0 nearly everywhere, and its log -inf."""
    memory = LabeledBank(size=128_000, dim=16)
    memory.labels.copy_(torch.arange(128_000) % 1000)
    z = F.normalize(torch.randn(8, 16), dim=1).bfloat16().requires_grad_()
    p = torch.randn(8, 1000).softmax(1).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        semantic, instance = _head().targets(memory.similarity(z.detach()), p, memory.labels)
        loss = _head().loss(memory.similarity(z), instance)['loss_in']
    assert loss.dtype == semantic.dtype == torch.float32
    loss.backward()
    assert z.grad.isfinite().all()
    full = z.detach().double() @ memory.read()[0].double() / 0.1
    target = unfold(full.softmax(1), p.double(), memory.labels)
    expected = -(target * full.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss.detach().double(), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(student_temperature=0), 'instance_head.student_temperature=0'),
        (dict(teacher_temperature=-1), 'instance_head.teacher_temperature=-1'),
        (dict(alpha=1.1), 'instance_head.alpha=1.1'),
        (dict(loss_weight=-1), 'instance_head.loss_weight=-1'),
        (dict(warmup=dict(epochs=-1)), 'instance_head.warmup.epochs=-1'),
        (dict(warmup=dict(epochs=1, iters=3)), 'only one of them'),
    ],
)
def test_config_errors(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace('.', r'\.')):
        SimilarityMatchingHead(**change)
