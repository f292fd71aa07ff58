"""Weak labels against SciPy's connected components."""

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
import torch.nn.functional as F
from scipy.sparse import csgraph
from torch.utils._python_dispatch import TorchDispatchMode

from mmrel.models.heads import connected_components, label_purity, nearest_neighbor, weak_labels
from tests.distributed import run_ranks


def _scipy(neighbor: np.ndarray) -> np.ndarray:
    n = len(neighbor)
    links = sparse.coo_matrix((np.ones(n), (np.arange(n), neighbor)), (n, n))
    return csgraph.connected_components(links, directed=False)[1]


def _chain(n: int, draw: np.random.Generator) -> np.ndarray:
    """Each node linked to the next in a random order, the last to a random one."""
    order, neighbor = draw.permutation(n), np.empty(n, int)
    neighbor[order[:-1]] = order[1:]
    neighbor[order[-1]] = order[draw.integers(n)]
    return neighbor


def _nearest(vectors: np.ndarray) -> np.ndarray:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return similarity.argmax(1)


def _neighbors(kind: str, n: int, draw: np.random.Generator) -> np.ndarray:
    if kind == 'random':
        return draw.integers(0, n, n)
    if kind == 'permutation':  # cycles of every length, fixed points too
        return draw.permutation(n)
    if kind == 'chain':
        return _chain(n, draw)
    if kind == 'chains':  # several separate ones
        starts = np.array_split(np.arange(n), max(1, n // 50))
        return np.concatenate([part[0] + _chain(len(part), draw) for part in starts])
    if kind == 'nearest':
        return _nearest(draw.standard_normal((n, 3)))
    return _nearest(draw.integers(-1, 2, (n, 2)).astype(float))  # ties: nine vectors at most


KINDS = ['random', 'permutation', 'chain', 'chains', 'nearest', 'ties']


@pytest.mark.parametrize('kind', KINDS)
def test_components_are_scipys(kind: str) -> None:
    """1,002 graphs over the six kinds. The component numbers are equal too."""
    draw = np.random.default_rng(KINDS.index(kind))
    sizes = [2, 3, 4, 5, 127, 128, 129, 2000, *draw.integers(2, 2001, 159)]
    for n in sizes:
        neighbor = _neighbors(kind, n, draw)
        ours = connected_components(torch.from_numpy(neighbor)).numpy()
        np.testing.assert_array_equal(ours, _scipy(neighbor), err_msg=f'{kind}, {n} nodes')


def test_longest_ways_to_the_cycle() -> None:
    """A chain that ends in a cycle, in the order that needs all the steps, for every size."""
    for n in range(1, 70):
        for cycle in {1, min(2, n), n // 2 + 1, n}:
            neighbor = (np.arange(n) - 1) % n
            neighbor[0] = cycle - 1
            ours = connected_components(torch.from_numpy(neighbor))
            assert ours.eq(0).all(), (n, cycle)


@pytest.mark.parametrize('block', [1, 7, 32, 1000])
def test_neighbors_do_not_depend_on_blocks_or_parts(block: int) -> None:
    z = torch.randn(64, 5)
    expected = _nearest(z.numpy())
    parts = [nearest_neighbor(z[i : i + 16], z, i, block) for i in range(0, 64, 16)]
    np.testing.assert_array_equal(torch.cat(parts).numpy(), expected)


def test_bf16_is_compared_in_float32() -> None:
    z = F.normalize(torch.randn(300, 16), dim=1).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        ours = nearest_neighbor(z, z)
    np.testing.assert_array_equal(ours.numpy(), _nearest(z.float().numpy()))


class _Reads(TorchDispatchMode):
    """Counts reads by the host, and all operations."""

    waits = 0
    calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        names = ('_local_scalar_dense', 'item', 'nonzero', 'unique', '_to_copy', 'is_nonzero')
        self.waits += func.overloadpacket.__name__ in names
        return func(*args, **(kwargs or {}))


def test_rounds_follow_the_size_not_the_graph_and_nothing_is_read() -> None:
    def count(neighbor: np.ndarray) -> int:
        index = torch.from_numpy(neighbor)
        with _Reads() as reads:
            connected_components(index)
        assert reads.waits == 0
        return reads.calls

    draw = np.random.default_rng(0)
    counts = [count(_neighbors(kind, 1024, draw)) for kind in KINDS]
    assert len(set(counts)) == 1
    # Four times the nodes: two more rounds.
    per_round = (count(draw.permutation(4096)) - counts[0]) / 2
    assert 0 < per_round <= 4


def _on_rank(rank: int, tied: torch.Tensor, apart: torch.Tensor) -> dict:
    rows = slice(rank * 32, rank * 32 + 32)
    # As if the ranks rounded differently: each sees other columns in the last bits.
    rounded = tied + rank * 1e-7 * torch.randn_like(tied)
    return dict(tied=weak_labels(tied[rows], rounded), apart=weak_labels(apart[rows], apart))


def test_ranks_label_the_same_graph() -> None:
    tied = F.normalize(torch.randn(8, 12), dim=1).repeat(8, 1)  # eight times each
    apart = F.normalize(torch.randn(64, 12, dtype=torch.float64), dim=1)
    one, two = run_ranks(_on_rank, 2, tied, apart)
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    np.testing.assert_array_equal(one['apart'].numpy(), _scipy(_nearest(apart.numpy())))


@pytest.mark.parametrize('n', [2, 9, 300])
def test_purity_is_the_slow_one(n: int) -> None:
    draw = np.random.default_rng(n)
    labels, classes = draw.integers(0, max(1, n // 4), n), draw.integers(-1, 4, n)
    shares = []
    for i in np.flatnonzero(classes >= 0):
        positives = [j for j in range(n) if j != i and labels[j] == labels[i] and classes[j] >= 0]
        if positives:
            shares.append(np.mean([classes[j] == classes[i] for j in positives]))
    ours = label_purity(torch.from_numpy(labels), torch.from_numpy(classes))
    assert ours.item() == pytest.approx(np.mean(shares) if shares else 0.0, abs=1e-6)


def test_purity_of_labels_that_are_the_classes() -> None:
    classes = torch.arange(5).repeat(4)
    assert label_purity(classes, classes + 2**31).item() == 1
    assert label_purity(torch.zeros_like(classes), classes).item() == pytest.approx(3 / 19)
    assert label_purity(classes, torch.full_like(classes, -1)).item() == 0
