import math

import pytest
import torch
import torch.nn.functional as F

from mmrel.models.heads import InstanceContrastHead
from tests.distributed import run_ranks
from tests.tensors import largest_tensors


def _vectors(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, 5, dtype=torch.float64), dim=-1)


def _reference(views: torch.Tensor, crops: torch.Tensor | None, t: float) -> float:
    """Row by row, candidate by candidate, in Python floats."""
    total, rows = 0.0, 0
    for v, i in ((v, i) for v in range(2) for i in range(views.shape[1])):
        exps = {
            (w, j): math.exp(float(views[v, i] @ views[w, j]) / t)
            for w in range(2)
            for j in range(views.shape[1])
            if (w, j) != (v, i)
        }
        total -= math.log(exps[1 - v, i] / sum(exps.values()))
        rows += 1
    for crop in [] if crops is None else crops:
        for i, row in enumerate(crop):
            exps = [[math.exp(float(row @ x) / t) for x in view] for view in views]
            every = sum(map(sum, exps))
            total -= sum(math.log(view[i] / every) for view in exps) / 2
            rows += 1
    return total / rows


@pytest.mark.parametrize('temperature', [0.1, 0.5])
@pytest.mark.parametrize('crops', [None, 1, 3])
def test_equals_the_slow_reference(temperature: float, crops: int | None) -> None:
    views = _vectors(2, 6)
    extra = None if crops is None else _vectors(crops, 6)
    loss = InstanceContrastHead(temperature).loss(views, extra)['loss_instance']
    assert loss.item() == pytest.approx(_reference(views, extra, temperature), rel=1e-12)


def _dense(views: torch.Tensor, columns: torch.Tensor, first: int, t: float) -> torch.Tensor:
    """As one classification, (2b, 2B - 1) logits; a mask removes the row itself."""
    rows, everyone = views.flatten(0, 1), columns.flatten(0, 1)
    b, size = views.shape[1], columns.shape[1]
    itself = torch.cat([torch.arange(b) + first, torch.arange(b) + size + first])
    partner = itself.roll(b)
    logits = (rows @ everyone.T / t).scatter(1, itself[:, None], -torch.inf)
    return F.cross_entropy(logits, partner)


def test_gradient_is_that_of_torchs_cross_entropy() -> None:
    views = _vectors(2, 7).requires_grad_()
    (ours,) = torch.autograd.grad(InstanceContrastHead()(views), views)
    (dense,) = torch.autograd.grad(_dense(views, views, 0, 0.1), views)
    torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-14)


def _on_rank(rank: int, views: torch.Tensor) -> dict:
    found = {}
    for everyone in (False, True):
        own = views[:, rank * 3 : rank * 3 + 3].clone().requires_grad_()
        loss = InstanceContrastHead(all_rank_gradient=everyone)(own)
        (grad,) = torch.autograd.grad(loss, own)
        found[str(everyone)] = dict(loss=loss.detach(), grad=grad)
    return found


def test_two_ranks() -> None:
    views = _vectors(2, 6)
    parts = run_ranks(_on_rank, 2, views)
    whole = views.clone().requires_grad_()
    loss = InstanceContrastHead()(whole)
    (grad,) = torch.autograd.grad(loss, whole)
    for key in ('True', 'False'):
        mean = (parts[0][key]['loss'] + parts[1][key]['loss']) / 2
        torch.testing.assert_close(mean, loss.detach())
    both = torch.cat([p['True']['grad'] for p in parts], 1) / 2
    torch.testing.assert_close(both, grad)
    for rank, part in enumerate(parts):
        own = views[:, rank * 3 : rank * 3 + 3].clone().requires_grad_()
        halves = [own, views[:, 3:]] if rank == 0 else [views[:, :3], own]
        loss = _dense(own, torch.cat(halves, 1), rank * 3, 0.1)
        torch.testing.assert_close(part['False']['grad'], torch.autograd.grad(loss, own)[0])


def test_order_of_the_batch_does_not_matter() -> None:
    views, crops, order = _vectors(2, 9), _vectors(2, 9), torch.randperm(9)
    head = InstanceContrastHead()
    torch.testing.assert_close(head(views, crops), head(views[:, order], crops[:, order]))


def test_crops_do_not_compete_with_each_other() -> None:
    views, crops = _vectors(2, 4), _vectors(2, 4)
    head = InstanceContrastHead()
    alone = [3 * head(views, crop[None]) - 2 * head(views) for crop in crops]
    torch.testing.assert_close(4 * head(views, crops), 2 * head(views) + sum(alone))


def test_one_image_alone_costs_nothing() -> None:
    assert InstanceContrastHead()(_vectors(2, 1)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize('everyone', [False, True])
def test_no_more_than_one_similarity_of_a_batch_exists_and_none_is_kept(everyone: bool) -> None:
    views, crops = _vectors(2, 200).requires_grad_(), _vectors(2, 200).requires_grad_()
    head = InstanceContrastHead(all_rank_gradient=everyone)
    made, kept = largest_tensors(lambda: head(views, crops).backward())
    assert made == 200 * 200
    assert kept <= 4 * 200 * 5


def test_bf16_is_upcast() -> None:
    views = _vectors(2, 8).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        loss = InstanceContrastHead()(views)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, InstanceContrastHead()(views.float()))


@pytest.mark.parametrize('temperature', [0.0, -0.1])
def test_config_errors(temperature: float) -> None:
    with pytest.raises(ValueError, match=r'head\.temperature='):
        InstanceContrastHead(temperature)
