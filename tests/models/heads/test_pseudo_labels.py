"""Unfolding and aggregation against loops over their equations."""

import pytest
import torch

from mmrel.models.heads import aggregate, unfold


def _case(b: int = 5, n: int = 12, c: int = 4) -> tuple[torch.Tensor, ...]:
    q = (torch.randn(b, n, dtype=torch.float64) * 2).softmax(1)
    p = (torch.randn(b, c, dtype=torch.float64) * 2).softmax(1)
    return q, p, torch.randint(0, c, (n,))


def test_unfolding_is_its_equation() -> None:
    q, p, labels = _case()
    out = unfold(q, p, labels)
    for b in range(len(q)):
        products = [q[b, i] * p[b, labels[i]] for i in range(q.shape[1])]
        torch.testing.assert_close(out[b], torch.stack(products) / sum(products))


def test_a_uniform_semantic_label_leaves_the_instance_label() -> None:
    q, p, labels = _case()
    torch.testing.assert_close(unfold(q, torch.full_like(p, 0.25), labels), q)


def test_unfolding_takes_the_mass_from_classes_that_are_ruled_out() -> None:
    q, _, labels = _case()
    certain = torch.eye(4, dtype=torch.float64)[labels[:5]]
    out = unfold(q, certain, labels)
    other = labels != labels[:5, None]
    assert (out[other] == 0).all()
    torch.testing.assert_close(out.sum(1), torch.ones(5, dtype=torch.float64))


def test_a_row_without_any_product_is_zero_not_nan() -> None:
    q, _, _ = _case()
    certain = torch.tensor([[0.0, 1.0, 0.0, 0.0]], dtype=torch.float64).expand(5, 4)
    assert (unfold(q, certain, torch.zeros(12, dtype=torch.long)) == 0).all()


def test_aggregation_is_its_equation() -> None:
    q, _, labels = _case()
    out = aggregate(q, labels, 4)
    for b in range(len(q)):
        for c in range(4):
            mass = sum(q[b, i].item() for i in range(q.shape[1]) if labels[i] == c)
            assert out[b, c].item() == pytest.approx(mass, abs=1e-12)


def test_the_aggregated_label_sums_to_one_and_an_empty_class_has_none() -> None:
    q, _, labels = _case()
    labels[labels == 2] = 1
    out = aggregate(q, labels, 6)
    torch.testing.assert_close(out.sum(1), torch.ones(5, dtype=torch.float64))
    assert (out[:, [2, 4, 5]] == 0).all()


def test_both_follow_a_permutation_of_the_slots() -> None:
    q, p, labels = _case()
    order = torch.randperm(12)
    torch.testing.assert_close(
        unfold(q[:, order], p, labels[order]), unfold(q, p, labels)[:, order]
    )
    torch.testing.assert_close(aggregate(q[:, order], labels[order], 4), aggregate(q, labels, 4))


def test_half_precision_is_upcast() -> None:
    q, p, labels = _case()
    assert unfold(q.bfloat16(), p.bfloat16(), labels).dtype == torch.float32
    assert aggregate(q.bfloat16(), labels, 4).dtype == torch.float32
