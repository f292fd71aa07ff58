"""Nearest neighbors of images, and the picture of them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmrel.visualization import choose_queries, find_neighbors, plot_neighbors
from tests.visualization.pictures import has_color, picture


@pytest.mark.parametrize('k', [1, 8, 29, 100])
def test_neighbors_equal_brute_force(k: int) -> None:
    features = torch.randn(30, 6) * torch.rand(30, 1) * 10
    queries = [7, 0, 29]
    similarity, index = find_neighbors(features, queries, k)
    assert index.shape == (3, min(k, 29))
    x = features.numpy().astype(np.float64)
    cosine = x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    for row, query in enumerate(queries):
        others = [i for i in np.argsort(-cosine[query]) if i != query][:k]
        assert index[row].tolist() == others
        np.testing.assert_allclose(similarity[row], cosine[query, others], atol=1e-5)


def test_copies_of_the_query_are_neighbors_but_itself_is_not() -> None:
    similarity, index = find_neighbors(torch.ones(20, 4), list(range(20)), 3)
    assert (index != torch.arange(20)[:, None]).all()
    assert all(len(set(row)) == 3 for row in index.tolist())
    torch.testing.assert_close(similarity, torch.ones(20, 3))


@pytest.mark.parametrize(
    ('rows', 'queries', 'k'), [(1, [0], 1), (4, [4], 1), (4, [-1], 1), (4, [], 1), (4, [0], 0)]
)
def test_wrong_queries(rows: int, queries: list[int], k: int) -> None:
    with pytest.raises(ValueError, match=r'queries=|at least 2 images'):
        find_neighbors(torch.ones(rows, 2), queries, k)


def test_queries_come_from_as_many_classes_as_possible() -> None:
    labels = torch.tensor([0] * 50 + [1] * 2 + [2] * 50 + [3])
    chosen = choose_queries(labels, 4)
    assert labels[chosen].tolist() == [0, 1, 2, 3]
    assert chosen == choose_queries(labels, 4) != choose_queries(labels, 4, seed=1)
    assert labels[choose_queries(labels, 9)].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3]
    assert choose_queries(labels, 200) == list(range(103))


@pytest.mark.parametrize('size', [(32, 32), (20, 40)])
def test_frames_tell_right_from_wrong(tmp_path: Path, size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (6, 3, *size), dtype=torch.uint8)
    features = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    green, red = '1a7f37', 'c62828'
    for labels, colors in (([0, 0, 0, 1, 1, 1], {green}), ([0, 1, 1, 1, 0, 0], {red})):
        out = tmp_path / 'neighbors.png'
        plot_neighbors(images, features, torch.tensor(labels), [0, 3], out, k=2)
        pixels = picture(out)
        assert {c for c in (green, red) if has_color(pixels, c)} == colors
    plot_neighbors(images, features, torch.arange(6), [0], tmp_path / 'one.png', k=2)
    assert picture(tmp_path / 'one.png').shape[0] < pixels.shape[0]


def test_images_without_classes_have_no_frames(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
    features = torch.randn(12, 5)
    queries = choose_queries(12, 4)
    assert len(set(queries)) == 4
    assert max(queries) < 12
    assert queries != choose_queries(12, 4, seed=1)
    plot_neighbors(images, features, None, queries, tmp_path / 'neighbors.png', k=3)
    pixels = picture(tmp_path / 'neighbors.png')
    assert not any(has_color(pixels, c) for c in ('1a7f37', 'c62828'))


def test_images_features_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match='4 images, 5 features and 5 labels: the numbers must be'):
        plot_neighbors(images, torch.ones(5, 2), torch.zeros(5), [0], tmp_path / 'x.png')
    with pytest.raises(ValueError, match='4 images, 5 features: the numbers must be equal'):
        plot_neighbors(images, torch.ones(5, 2), None, [0], tmp_path / 'x.png')
