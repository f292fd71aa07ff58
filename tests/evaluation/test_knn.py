import math

import numpy as np
import pytest
import torch

from mmrel.evaluation import knn_scores, nearest, neighbor_table, vote
from tests.distributed import run_ranks


def _slow_scores(q: np.ndarray, bank: np.ndarray, y: np.ndarray, c: int, k: int, t: float):
    """One query at a time, with a dict of votes."""
    bank = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    rows = []
    for x in q / np.linalg.norm(q, axis=1, keepdims=True):
        sims = bank @ x
        votes = dict.fromkeys(range(c), 0.0)
        for j in np.argsort(-sims)[:k]:
            votes[int(y[j])] += math.exp(sims[j] / t)
        rows.append([votes[i] / sum(votes.values()) for i in range(c)])
    return torch.tensor(rows)


def _data(n: int = 70, q: int = 24) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.randn(q, 8), torch.randn(n, 8), torch.randint(0, 5, (n,))


@pytest.mark.parametrize('k', [1, 7, 70, 200])
def test_equals_the_slow_reference(k: int) -> None:
    queries, bank, labels = _data()
    ours = knn_scores(queries, bank, labels, 6, (k,), 0.07)[k]
    slow = _slow_scores(queries.numpy(), bank.numpy(), labels.numpy(), 6, k, 0.07)
    torch.testing.assert_close(ours, slow.float(), atol=1e-5, rtol=1e-4)
    assert ours[:, 5].eq(0).all()  # no neighbor of this class


@pytest.mark.parametrize(('rows', 'columns'), [(1, 1), (5, 7), (100, 13)])
def test_blocks_do_not_matter(rows: int, columns: int) -> None:
    queries, bank, _ = _data()
    value, index = nearest(queries, bank, 9, rows, columns)
    full = (queries @ bank.T).topk(9)
    torch.testing.assert_close(value, full.values)
    torch.testing.assert_close(index, full.indices)


def test_ties_and_identical_features_do_not_crash() -> None:
    scores = knn_scores(torch.ones(3, 4), torch.ones(8, 4), torch.arange(8) % 2, 2, (4, 8))
    torch.testing.assert_close(scores[8], torch.full((3, 2), 0.5))
    torch.testing.assert_close(scores[4].sum(1), torch.ones(3))


def _on_rank(rank: int, queries: torch.Tensor, bank: torch.Tensor, labels: torch.Tensor) -> dict:
    half = slice(rank * 12, rank * 12 + 12)
    # Uneven parts: the second holds fewer rows than k.
    part = slice(0, 61) if rank == 0 else slice(61, None)
    scores = knn_scores(queries[half], bank[part], labels[part], 5, (5, 20))
    return {str(k): v for k, v in scores.items()}


def test_two_ranks_score_as_one() -> None:
    queries, bank, labels = _data()
    alone = knn_scores(queries, bank, labels, 5, (5, 20))
    parts = run_ranks(_on_rank, 2, queries, bank, labels)
    for k in (5, 20):
        torch.testing.assert_close(torch.cat([p[str(k)] for p in parts]), alone[k])


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32])
def test_labels_of_every_integer_type(dtype: torch.dtype) -> None:
    queries, bank, labels = _data()
    ours, theirs = (knn_scores(queries, bank, y, 5, (7,))[7] for y in (labels.to(dtype), labels))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_vote_is_checked_and_places_without_neighbor_are_not_read() -> None:
    similarities = torch.tensor([[0.5, -math.inf], [-math.inf, -math.inf]])
    scores = vote(similarities, torch.tensor([[1, 99], [-1, 99]]), 3, 2, 0.1)
    torch.testing.assert_close(scores, torch.tensor([[0.0, 1, 0], [0, 0, 0]]))
    with pytest.raises(ValueError, match="1 of the neighbors' labels are not in 0 to 0"):
        vote(torch.zeros(1, 2), torch.tensor([[0, 1]]), 1, 2, 0.1)
    with pytest.raises(ValueError, match=r'must both be \(Q, k\)'):
        vote(torch.zeros(1, 2), torch.zeros(1, 3).long(), 1, 2, 0.1)


def _slow_neighbors(features: torch.Tensor, k: int) -> torch.Tensor:
    x = features.double().numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows = [sorted((-float(a @ b), j) for j, b in enumerate(x) if j != i)[:k]
            for i, a in enumerate(x)]  # fmt: skip
    return torch.tensor([[j for _, j in row] for row in rows], dtype=torch.int32)


@pytest.mark.parametrize('k', [1, 5, 39])
def test_neighbor_table_is_the_slow_one(k: int) -> None:
    features = torch.randn(40, 6)
    order = torch.randperm(40)
    table = neighbor_table(features[order], order, 40, k)
    assert table.dtype == torch.int32
    torch.testing.assert_close(table, _slow_neighbors(features, k), rtol=0, atol=0)


def test_an_image_is_not_its_own_neighbor_among_equal_ones() -> None:
    features = torch.randn(3, 6).repeat(8, 1)
    table = neighbor_table(features, torch.arange(24), 24, 3).long()
    assert not table.eq(torch.arange(24)[:, None]).any()
    assert (table % 3).eq(torch.arange(24)[:, None] % 3).all()
    assert all(len(set(row)) == 3 for row in table.tolist())


def _table_on_rank(rank: int, features: torch.Tensor, k: int) -> torch.Tensor:
    rows = torch.arange(len(features))[rank::2]  # as DefaultSampler deals them: 21 and 20
    return neighbor_table(features[rows], rows, len(features), k)


@pytest.mark.parametrize('k', [4, 30])
def test_two_ranks_share_a_table(k: int) -> None:
    features = torch.randn(41, 6)
    for table in run_ranks(_table_on_rank, 2, features, k):
        torch.testing.assert_close(table, _slow_neighbors(features, k), rtol=0, atol=0)


@pytest.mark.parametrize('k', [0, 5])
def test_too_few_images_for_a_table(k: int) -> None:
    with pytest.raises(ValueError, match=f'5 images cannot have k={k} neighbors'):
        neighbor_table(torch.randn(5, 2), torch.arange(5), 5, k)
