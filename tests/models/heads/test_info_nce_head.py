import math

import pytest
import torch
import torch.nn.functional as F

from mmrel.models.heads import InfoNCEHead


def _reference(z: torch.Tensor, z_teacher: torch.Tensor, memory: torch.Tensor, t: float) -> float:
    """As a classification of K + 1 candidates, row by row, in Python floats."""
    total = 0.0
    for row, positive in zip(z, z_teacher, strict=True):
        logits = [float(row @ positive) / t] + [float(row @ entry) / t for entry in memory.T]
        total -= logits[0] - math.log(sum(math.exp(logit) for logit in logits))
    return total / len(z)


@pytest.mark.parametrize('temperature', [0.1, 0.5])
def test_equals_the_slow_reference(temperature: float) -> None:
    z, z_teacher = (F.normalize(torch.randn(6, 5).double(), dim=1) for _ in range(2))
    memory = F.normalize(torch.randn(5, 11).double(), dim=0)
    head = InfoNCEHead(temperature)
    loss = head.loss(z @ memory, z_teacher @ memory, (z * z_teacher).sum(1))['loss']
    assert loss.item() == pytest.approx(_reference(z, z_teacher, memory, temperature), rel=1e-12)


def test_gradient_is_that_of_torchs_cross_entropy() -> None:
    student = torch.randn(2, 6, 11, dtype=torch.float64, requires_grad=True)
    positive = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    ours = torch.autograd.grad(InfoNCEHead(0.2)(student, positive), (student, positive))
    logits = torch.cat([positive[..., None], student], dim=-1).flatten(0, 1) / 0.2
    loss = F.cross_entropy(logits, torch.zeros(12, dtype=torch.long))
    for a, b in zip(ours, torch.autograd.grad(loss, (student, positive)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


def test_order_of_the_memory_does_not_matter() -> None:
    student, positive = torch.rand(3, 4, 33).double(), torch.rand(3, 4).double()
    order = torch.randperm(33)
    head = InfoNCEHead()
    torch.testing.assert_close(head(student, positive), head(student[..., order], positive))


def test_equal_similarities_cost_log_of_all_candidates() -> None:
    loss = InfoNCEHead()(torch.full((4, 1024), 0.3), torch.full((4,), 0.3))
    assert loss.item() == pytest.approx(math.log(1025), rel=1e-6)


def test_far_logits_stay_finite() -> None:
    student = torch.full((2, 8), -1.0, requires_grad=True)
    loss = InfoNCEHead(0.001)(student, torch.ones(2))
    loss.backward()
    assert loss.item() == 0
    assert student.grad.eq(0).all()


def test_half_precision_is_upcast() -> None:
    student, positive = torch.rand(4, 33).bfloat16(), torch.rand(4).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        loss = InfoNCEHead()(student, positive)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, InfoNCEHead()(student.float(), positive.float()))


@pytest.mark.parametrize('temperature', [0.0, -0.1])
def test_config_errors(temperature: float) -> None:
    with pytest.raises(ValueError, match=r'InfoNCEHead\.temperature'):
        InfoNCEHead(temperature)
