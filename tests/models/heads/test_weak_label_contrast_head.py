import math

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
import torch.nn.functional as F
from scipy.sparse import csgraph

from mmrel.models.heads import WeakLabelContrastHead
from tests.distributed import run_ranks
from tests.tensors import largest_tensors


def _vectors(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, 5, dtype=torch.float64), dim=-1)


def _labels(view: torch.Tensor) -> np.ndarray:
    """SciPy's components of the nearest-neighbor graph."""
    similarity = view.detach().numpy() @ view.detach().numpy().T
    np.fill_diagonal(similarity, -np.inf)
    n = len(similarity)
    links = sparse.coo_matrix((np.ones(n), (np.arange(n), similarity.argmax(1))), (n, n))
    return csgraph.connected_components(links, directed=False)[1]


def _row(row: torch.Tensor, view: torch.Tensor, positives: list[int], others: list[int], t: float):
    sims = {j: float(row @ view[j]) / t for j in others}
    log_sum = math.log(sum(math.exp(s) for s in sims.values()))
    return -sum(sims[j] - log_sum for j in positives) / len(positives)


def _reference(views: torch.Tensor, crops: torch.Tensor | None, t: float) -> float:
    """Row by row, pair by pair, in Python floats."""
    n = views.shape[1]
    swapped = [_labels(views[1]), _labels(views[0])]
    rows = [
        _row(
            view[i],
            view,
            [j for j in range(n) if j != i and label[j] == label[i]],
            [j for j in range(n) if j != i],
            t,
        )
        for view, label in zip(views, swapped, strict=True)
        for i in range(n)
    ]
    for crop in [] if crops is None else crops:
        for i in range(n):
            both = [
                _row(crop[i], view, np.flatnonzero(label == label[i]).tolist(), list(range(n)), t)
                for view, label in zip(views, swapped, strict=True)
            ]
            rows.append(sum(both) / 2)
    return sum(rows) / len(rows)


@pytest.mark.parametrize('temperature', [0.1, 0.5])
@pytest.mark.parametrize('crops', [None, 1, 3])
def test_equals_the_slow_reference(temperature: float, crops: int | None) -> None:
    views = _vectors(2, 24)
    extra = None if crops is None else _vectors(crops, 24)
    loss = WeakLabelContrastHead(temperature).loss(views, extra)['loss_graph']
    assert loss.item() == pytest.approx(_reference(views, extra, temperature), rel=1e-12)


def test_labels_are_each_views_own_components() -> None:
    views = _vectors(2, 40)
    _, labels = WeakLabelContrastHead()(views)
    for label, view in zip(labels, views, strict=True):
        np.testing.assert_array_equal(label.numpy(), _labels(view))


def _dense(views: torch.Tensor, columns: torch.Tensor, first: int, t: float) -> torch.Tensor:
    """With a mask of positives, (b, B)."""
    b, losses = views.shape[1], []
    for v in range(2):
        label = torch.from_numpy(_labels(columns[1 - v]))
        own = torch.arange(b) + first
        itself = torch.zeros(b, columns.shape[1], dtype=torch.bool).scatter(1, own[:, None], True)
        positive = (label[own, None] == label).logical_and(~itself)
        logits = (views[v] @ columns[v].T / t).masked_fill(itself, -torch.inf)
        log_prob = F.log_softmax(logits, 1).masked_fill(itself, 0)
        losses.append(-(log_prob * positive).sum(1) / positive.sum(1))
    return torch.stack(losses).mean()


@pytest.mark.parametrize('everyone', [False, True])
def test_gradient_reaches_rows_only_or_columns_too(everyone: bool) -> None:
    views = _vectors(2, 24).requires_grad_()
    loss, _ = WeakLabelContrastHead(all_rank_gradient=everyone)(views)
    (ours,) = torch.autograd.grad(loss, views)
    columns = views if everyone else views.detach()
    (dense,) = torch.autograd.grad(_dense(views, columns, 0, 0.1), views)
    torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-14)


def _on_rank(rank: int, views: torch.Tensor) -> dict:
    found = {}
    for everyone in (False, True):
        own = views[:, rank * 12 : rank * 12 + 12].clone().requires_grad_()
        loss, labels = WeakLabelContrastHead(all_rank_gradient=everyone)(own)
        (grad,) = torch.autograd.grad(loss, own)
        found[str(everyone)] = dict(loss=loss.detach(), grad=grad, labels=labels)
    return found


def test_two_ranks_are_one_with_the_whole_batch() -> None:
    views = _vectors(2, 24)
    parts = run_ranks(_on_rank, 2, views)
    for everyone in (False, True):
        whole = views.clone().requires_grad_()
        loss, labels = WeakLabelContrastHead(all_rank_gradient=everyone)(whole)
        (grad,) = torch.autograd.grad(loss, whole)
        found = [p[str(everyone)] for p in parts]
        torch.testing.assert_close(sum(p['loss'] for p in found) / 2, loss.detach())
        torch.testing.assert_close(torch.cat([p['grad'] for p in found], 1) / 2, grad)
        for part in found:
            torch.testing.assert_close(part['labels'], labels, rtol=0, atol=0)


def test_order_of_the_batch_does_not_matter() -> None:
    views, crops, order = _vectors(2, 20), _vectors(2, 20), torch.randperm(20)
    head = WeakLabelContrastHead()
    torch.testing.assert_close(head(views, crops)[0], head(views[:, order], crops[:, order])[0])


def test_purity_is_the_mean_of_the_views() -> None:
    views = torch.eye(6).repeat_interleave(2, 0).repeat(2, 1, 1)  # pairs of equal vectors
    classes = torch.tensor([0, 0, 0, 1, 2, 2, 3, 4, 5, -1, -1, -1])
    losses = WeakLabelContrastHead().loss(views, classes=classes)
    # Known pairs: (0, 0), (0, 1), (2, 2), (3, 4).
    assert losses['purity'].item() == pytest.approx(0.5)
    assert losses.keys() == {'loss_graph', 'purity'}
    assert WeakLabelContrastHead().loss(views).keys() == {'loss_graph'}


@pytest.mark.parametrize('everyone', [False, True])
def test_no_more_than_one_similarity_of_a_batch_exists_and_none_is_kept(everyone: bool) -> None:
    views, crops = _vectors(2, 200).requires_grad_(), _vectors(2, 200).requires_grad_()
    head = WeakLabelContrastHead(all_rank_gradient=everyone)
    made, kept = largest_tensors(lambda: head(views, crops)[0].backward())
    assert made == 200 * 200
    assert kept <= 4 * 200 * 5


def test_bf16_is_upcast() -> None:
    views = _vectors(2, 16).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        loss, _ = WeakLabelContrastHead()(views)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, WeakLabelContrastHead()(views.float())[0])


@pytest.mark.parametrize('temperature', [0.0, -0.1])
def test_config_errors(temperature: float) -> None:
    with pytest.raises(ValueError, match=r'graph_head\.temperature='):
        WeakLabelContrastHead(temperature)


def test_a_single_image_has_no_graph() -> None:
    with pytest.raises(ValueError, match='at least 2 images'):
        WeakLabelContrastHead()(_vectors(2, 1))
