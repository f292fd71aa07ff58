import pytest
import torch

from mmrel.models.utils import gather
from tests.distributed import run_ranks


def _loss(own: torch.Tensor, everyone: torch.Tensor) -> torch.Tensor:
    return (own @ everyone.T).square().mean()


def _on_rank(rank: int, x: torch.Tensor) -> dict:
    found = {}
    for gradient in ('none', 'own', 'all'):
        own = x[rank * 3 : rank * 3 + 3].clone().requires_grad_()
        everyone = gather(own, gradient)
        _loss(own, everyone).backward()
        found[gradient] = dict(rows=everyone.detach(), grad=own.grad)
    return found


def test_gradients_on_two_ranks() -> None:
    x = torch.randn(6, 4, dtype=torch.float64)
    found = run_ranks(_on_rank, 2, x)
    whole = x.clone().requires_grad_()
    _loss(whole, whole).backward()
    for rank, part in enumerate(found):
        rows = slice(rank * 3, rank * 3 + 3)
        for result in part.values():
            torch.testing.assert_close(result['rows'], x, rtol=0, atol=0)
        # Averaged over ranks, the gradient of a rank's rows is that of the whole batch.
        torch.testing.assert_close(part['all']['grad'] / 2, whole.grad[rows])
        # The other two: with the columns built by hand.
        own = x[rows].clone().requires_grad_()
        other = x[3:] if rank == 0 else x[:3]
        columns = [own, other] if rank == 0 else [other, own]
        (expected,) = torch.autograd.grad(_loss(own, torch.cat(columns)), own)
        torch.testing.assert_close(part['own']['grad'], expected)
        (expected,) = torch.autograd.grad(_loss(own, x), own)
        torch.testing.assert_close(part['none']['grad'], expected)


@pytest.mark.parametrize('gradient', ['none', 'own', 'all'])
def test_without_a_process_group(gradient: str) -> None:
    x = torch.randn(3, 4, requires_grad=True)
    everyone = gather(x, gradient)
    torch.testing.assert_close(everyone, x)
    assert everyone.requires_grad == (gradient != 'none')
    if gradient != 'none':
        (grad,) = torch.autograd.grad((everyone * torch.arange(4.0)).sum(), x)
        torch.testing.assert_close(grad, torch.arange(4.0).expand(3, 4))


def test_an_unknown_gradient_is_named() -> None:
    with pytest.raises(ValueError, match="gradient='some'"):
        gather(torch.zeros(1), 'some')
