"""Maps of features by t-SNE."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmrel.visualization import embed_tsne, plot_tsne
from tests.visualization.pictures import picture


def _clusters(each: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(3).repeat_interleave(each)
    return 10 * torch.eye(3, 16)[labels] + torch.randn(3 * each, 16), labels


def test_tsne_keeps_clusters_apart_and_ignores_lengths(tmp_path: Path) -> None:
    features, labels = _clusters()
    points, rows = embed_tsne(features)
    assert rows.tolist() == list(range(120))
    distance = ((points[:, None] - points) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(1)] == labels).float().mean() > 0.97
    # Only directions count; powers of two change no digit.
    lengths = 2.0 ** torch.randint(-3, 4, (120, 1))
    np.testing.assert_array_equal(points, embed_tsne(features * lengths)[0])
    plot_tsne(features, labels, ['cat', 'dog', 'ship'], tmp_path / 'tsne.png')
    pixels = picture(tmp_path / 'tsne.png')
    assert pixels.shape[1] > pixels.shape[0] > 600  # the legend stands beside the map


def test_tsne_takes_a_seeded_choice_of_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('mmrel.visualization.embedding._MAX_POINTS', 20)
    features, _ = _clusters(20)
    points, rows = embed_tsne(features)
    assert points.shape == (20, 2)
    assert len(set(rows)) == 20
    np.testing.assert_array_equal(rows, embed_tsne(features)[1])
    assert rows.tolist() != embed_tsne(features, seed=1)[1].tolist()


@pytest.mark.parametrize(('points', 'classes'), [(3, 1), (5, 5), (40, 25), (40, 40)])
def test_tsne_of_few_points_and_of_many_classes(tmp_path: Path, points: int, classes: int) -> None:
    labels = torch.arange(points) % classes
    plot_tsne(torch.randn(points, 8), labels, None, tmp_path / 'tsne.png')
    picture(tmp_path / 'tsne.png')


def test_tsne_needs_points_that_differ() -> None:
    with pytest.raises(ValueError, match='at least 3 features'):
        embed_tsne(torch.randn(2, 4))
    with pytest.raises(ValueError, match='collapsed'):
        embed_tsne(torch.ones(10, 4))


def test_images_without_classes_have_one_color_and_no_legend(tmp_path: Path) -> None:
    plot_tsne(torch.randn(12, 5), None, None, tmp_path / 'tsne.png')
    pixels = picture(tmp_path / 'tsne.png')
    assert abs(pixels.shape[1] - pixels.shape[0]) < 5  # no legend beside the map
    hues = {
        tuple(c) for c in np.unique(pixels.reshape(-1, 3), axis=0) if np.ptp(c.astype(int)) > 90
    }
    assert len({int(np.argmax(c)) for c in hues}) == 1


def test_features_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='5 features and 4 labels: the numbers must be equal'):
        plot_tsne(torch.ones(5, 2), torch.zeros(4), None, tmp_path / 'x.png')
