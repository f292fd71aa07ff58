import pytest
import torch
import torch.nn.functional as F

from mmrel.models.heads import logsumexp_similarity
from tests.tensors import largest_tensors


def _vectors(n: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, 6, dtype=torch.float64), dim=1)


def _dense(rows: torch.Tensor, columns: torch.Tensor, t: float, own: int | None) -> torch.Tensor:
    logits = rows @ columns.T / t
    if own is not None:
        leave_out = torch.zeros_like(logits, dtype=torch.bool)
        for i in range(len(rows)):
            leave_out[i, own + i] = True
        logits = logits.masked_fill(leave_out, -torch.inf)
    return torch.logsumexp(logits, 1)


@pytest.mark.parametrize('own', [None, 0, 5, 13])
@pytest.mark.parametrize('block', [1, 3, 7, 100])
def test_value_and_gradients_are_the_dense_ones(own: int | None, block: int) -> None:
    rows, columns = _vectors(7).requires_grad_(), _vectors(20).requires_grad_()
    weight = torch.randn(7, dtype=torch.float64)
    ours = logsumexp_similarity(rows, columns, 0.1, own, block)
    dense = _dense(rows, columns, 0.1, own)
    torch.testing.assert_close(ours, dense)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), (rows, columns)),
        torch.autograd.grad((dense * weight).sum(), (rows, columns)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('which', ['rows', 'columns'])
def test_gradient_of_one_side_only(which: str) -> None:
    given = dict(rows=_vectors(4), columns=_vectors(9))
    given[which].requires_grad_()

    def loss(function) -> torch.Tensor:
        return function(given['rows'], given['columns'], 0.2, 2).sum()

    ours, dense = (
        torch.autograd.grad(loss(f), given[which])[0] for f in (logsumexp_similarity, _dense)
    )
    torch.testing.assert_close(ours, dense)


def test_a_row_without_a_column_is_minus_infinity_without_gradient() -> None:
    rows = _vectors(1).requires_grad_()
    other = torch.randn(1, dtype=torch.float64)
    ours = logsumexp_similarity(rows, rows.detach(), 0.1, 0)
    assert ours.item() == -torch.inf
    total = torch.logaddexp(ours, other)
    torch.testing.assert_close(total, other)
    assert torch.autograd.grad(total.sum(), rows)[0].eq(0).all()


def test_small_temperatures_stay_finite() -> None:
    rows = _vectors(5).float().requires_grad_()
    ours = logsumexp_similarity(rows, -rows.detach(), 1e-3)
    (grad,) = torch.autograd.grad(ours.sum(), rows)
    assert ours.isfinite().all()
    assert grad.isfinite().all()


def test_only_a_block_exists_at_a_time_and_none_is_kept() -> None:
    rows, columns = torch.randn(64, 4).requires_grad_(), torch.randn(256, 4)
    made, kept = largest_tensors(
        lambda: logsumexp_similarity(rows, columns, 0.1, 0, block=16).sum().backward()
    )
    assert made == 16 * 256
    assert kept <= 256 * 4
