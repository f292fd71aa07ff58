import math

import pytest
import torch

from mmrel.models.heads import RelationHead


def _reference(student: torch.Tensor, teacher: torch.Tensor, ts: float, tt: float) -> float:
    """Row by row, entry by entry, in Python floats."""
    total = 0.0
    for row_s, row_t in zip(student.tolist(), teacher.tolist(), strict=True):
        z_s = sum(math.exp(s / ts) for s in row_s)
        z_t = sum(math.exp(t / tt) for t in row_t)
        total -= sum(
            math.exp(t / tt) / z_t * math.log(math.exp(s / ts) / z_s)
            for s, t in zip(row_s, row_t, strict=True)
        )
    return total / len(student)


@pytest.mark.parametrize(('ts', 'tt'), [(0.1, 0.04), (0.2, 0.05)])
def test_equals_the_slow_reference(ts: float, tt: float) -> None:
    student, teacher = (torch.rand(5, 9, dtype=torch.float64) * 2 - 1 for _ in range(2))
    loss = RelationHead(ts, tt).loss(student, teacher)['loss']
    assert loss.item() == pytest.approx(_reference(student, teacher, ts, tt), rel=1e-12)


def test_views_share_the_teachers_target() -> None:
    student = torch.rand(3, 5, 9, dtype=torch.float64)
    teacher = torch.rand(5, 9, dtype=torch.float64)
    head = RelationHead()
    together = head(student, teacher).item()
    one_by_one = sum(_reference(view, teacher, 0.1, 0.04) for view in student) / 3
    assert together == pytest.approx(one_by_one, rel=1e-12)


def test_uniform_similarities_cost_log_k() -> None:
    loss = RelationHead()(torch.zeros(4, 1024), torch.rand(4, 1024))
    assert loss.item() == pytest.approx(math.log(1024), rel=1e-6)


def test_order_of_the_memory_does_not_matter() -> None:
    student, teacher = torch.rand(4, 33).double(), torch.rand(4, 33).double()
    order = torch.randperm(33)
    head = RelationHead()
    torch.testing.assert_close(head(student, teacher), head(student[:, order], teacher[:, order]))


def test_bf16_input_is_upcast() -> None:
    student, teacher = torch.rand(4, 33).bfloat16(), torch.rand(4, 33).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        loss = RelationHead()(student, teacher)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, RelationHead()(student.float(), teacher.float()))


@pytest.mark.parametrize(('ts', 'tt'), [(0.1, 0.1), (0.04, 0.1), (0.1, 0.0), (-0.1, -0.2)])
def test_config_errors(ts: float, tt: float) -> None:
    with pytest.raises(ValueError, match=r'head\.\w+_temperature'):
        RelationHead(student_temperature=ts, teacher_temperature=tt)
