import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.visualization import (
    choose_queries,
    embed_tsne,
    find_neighbours,
    find_scalars,
    plot_curves,
    plot_neighbours,
    plot_tsne,
    read_scalars,
)
from mmrel.visualization.curves import top1_curves


def _train(iteration: int, epoch: int, loss: float) -> dict:
    return dict(lr=0.1, loss=loss, loss_epoch=loss, epoch=epoch, iter=iteration, step=iteration)


def _val(epoch: int, top1: float) -> dict:
    return {'knn20/top1': top1, 'knn200/top1': top1 + 1, 'knn200/top5': 99.0, 'step': epoch}


def _log(work_dir: Path, name: str, lines: list[dict], tail: str = '') -> Path:
    path = work_dir / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + tail)
    return path


def _epochs(first: int, last: int, loss: float, per_epoch: int = 20) -> list[dict]:
    """Two lines an epoch, a validation after each second one."""
    lines = []
    for epoch in range(first, last + 1):
        end = epoch * per_epoch
        lines += [_train(end - per_epoch // 2, epoch, loss), _train(end, epoch, loss)]
        lines += [_val(epoch, loss * 10)] * (epoch % 2 == 0)
    return lines


def _picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == 'PNG'
        pixels = np.asarray(image.convert('RGB'))
    colours = np.unique(pixels.reshape(-1, 3), axis=0)
    assert len(colours) > 10, 'the picture is blank'
    return pixels


def _has_colour(pixels: np.ndarray, rgb: str) -> bool:
    return bool((pixels == list(bytes.fromhex(rgb))).all(-1).any())


def test_training_and_validation_lines_are_told_apart(tmp_path: Path) -> None:
    run = read_scalars(_log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 4, 3.0)]))
    assert [line['iter'] for line in run.train] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert [line['step'] for line in run.val] == [0, 2, 4]
    assert [line['knn200/top1'] for line in run.val] == [11.0, 31.0, 31.0]
    assert run.by_epoch


def test_a_resumed_run_is_one_run(tmp_path: Path) -> None:
    # Interrupted in epoch 5, in the middle of a line; resumed after epoch 3.
    first = _log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 5, 3.0)], '{"lr": 0.')
    second = _log(tmp_path, '20260102_000000', _epochs(4, 7, 2.0))
    assert find_scalars(tmp_path) == [first, second]
    run = read_scalars(first, second)
    assert [line['iter'] for line in run.train] == list(range(10, 141, 10))
    assert [line['loss'] for line in run.train] == [3.0] * 6 + [2.0] * 8
    assert [(line['step'], line['knn20/top1']) for line in run.val] == [
        (0, 10.0), (2, 30.0), (4, 20.0), (6, 20.0),
    ]  # fmt: skip


def test_a_validation_that_the_resumed_run_has_yet_to_repeat(tmp_path: Path) -> None:
    first = _log(tmp_path, '20260101_000000', [_val(0, 10.0), *_epochs(1, 5, 3.0)])
    second = _log(tmp_path, '20260102_000000', _epochs(4, 4, 2.0)[:1])
    run = read_scalars(first, second)
    assert [line['iter'] for line in run.train] == list(range(10, 71, 10))
    assert [line['step'] for line in run.val] == [0, 2]


def test_a_run_that_was_started_anew_replaces_the_old_one(tmp_path: Path) -> None:
    for name, loss in (('20260101_000000', 3.0), ('20260102_000000', 2.0)):
        _log(tmp_path, name, [_val(0, loss), *_epochs(1, 4, loss)])
    run = read_scalars(*find_scalars(tmp_path))
    assert {line['loss'] for line in run.train} == {2.0}
    assert [line['step'] for line in run.val] == [0, 2, 4]
    assert run.val[0]['knn20/top1'] == 2.0


def test_a_run_by_iterations(tmp_path: Path) -> None:
    lines = [dict(lr=0.1, loss=1.0, step=i) for i in (50, 100, 150)]
    lines.insert(2, {'accuracy/top1': 50.0, 'step': 100})
    run = read_scalars(_log(tmp_path, '20260101_000000', lines))
    assert [line['iter'] for line in run.train] == [50, 100, 150]
    assert not run.by_epoch
    plot_curves(run, tmp_path / 'curves.png')
    _picture(tmp_path / 'curves.png')


def test_logs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='work dir'):
        find_scalars(tmp_path)
    broken = tmp_path / 'scalars.json'
    broken.write_text('{"lr": 0.\n{"step": 1}\n')
    with pytest.raises(ValueError, match='line 1'):
        read_scalars(broken)
    broken.write_text('{"time": 1, "step": 1}\n')
    with pytest.raises(ValueError, match='neither'):
        plot_curves(read_scalars(broken), tmp_path / 'curves.png')


def test_curves_are_two_panels_or_the_one_that_there_is(tmp_path: Path) -> None:
    both = _log(tmp_path, 'both', _epochs(1, 4, 3.0))
    one = _log(tmp_path, 'one', [_val(0, 10.0)])
    plot_curves(read_scalars(both), tmp_path / 'new' / 'both.png')
    plot_curves(read_scalars(one), tmp_path / 'one.png')
    pixels = _picture(tmp_path / 'new' / 'both.png')
    assert pixels.shape[1] == 2 * _picture(tmp_path / 'one.png').shape[1] > 1500
    for half in np.array_split(pixels, 2, axis=1):
        assert _has_colour(half, 'ff7f0e')  # the epochs' mean, and the second kNN curve


def test_the_teachers_curves_have_names_of_their_own(tmp_path: Path) -> None:
    line = {'knn200/top1': 3.0, 'teacher/knn20/top1': 1.0, 'teacher/top1': 2.0, 'step': 1}
    curves = top1_curves(read_scalars(_log(tmp_path, '20260101_000000', [line])))
    assert curves == {
        'teacher': ([1], [2.0]),
        'teacher, kNN, k = 20': ([1], [1.0]),
        'kNN, k = 200': ([1], [3.0]),
    }


@pytest.mark.parametrize('k', [1, 8, 29, 100])
def test_neighbours_equal_brute_force(k: int) -> None:
    features = torch.randn(30, 6) * torch.rand(30, 1) * 10
    queries = [7, 0, 29]
    similarity, index = find_neighbours(features, queries, k)
    assert index.shape == (3, min(k, 29))
    x = features.numpy().astype(np.float64)
    cosine = x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    for row, query in enumerate(queries):
        others = [i for i in np.argsort(-cosine[query]) if i != query][:k]
        assert index[row].tolist() == others
        np.testing.assert_allclose(similarity[row], cosine[query, others], atol=1e-5)


def test_copies_of_the_query_are_neighbours_but_itself_is_not() -> None:
    similarity, index = find_neighbours(torch.ones(20, 4), list(range(20)), 3)
    assert (index != torch.arange(20)[:, None]).all()
    assert all(len(set(row)) == 3 for row in index.tolist())
    torch.testing.assert_close(similarity, torch.ones(20, 3))


@pytest.mark.parametrize(
    ('rows', 'queries', 'k'), [(1, [0], 1), (4, [4], 1), (4, [-1], 1), (4, [], 1), (4, [0], 0)]
)
def test_wrong_queries(rows: int, queries: list[int], k: int) -> None:
    with pytest.raises(ValueError, match=r'queries=|at least 2 images'):
        find_neighbours(torch.ones(rows, 2), queries, k)


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
    for labels, colours in (([0, 0, 0, 1, 1, 1], {green}), ([0, 1, 1, 1, 0, 0], {red})):
        out = tmp_path / 'neighbours.png'
        plot_neighbours(images, features, torch.tensor(labels), [0, 3], out, k=2)
        pixels = _picture(out)
        assert {c for c in (green, red) if _has_colour(pixels, c)} == colours
    plot_neighbours(images, features, torch.arange(6), [0], tmp_path / 'one.png', k=2)
    assert _picture(tmp_path / 'one.png').shape[0] < pixels.shape[0]


def test_images_features_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match='4 images, 5 features'):
        plot_neighbours(images, torch.ones(5, 2), torch.zeros(5), [0], tmp_path / 'x.png')
    with pytest.raises(ValueError, match='5 features and 4 labels'):
        plot_tsne(torch.ones(5, 2), torch.zeros(4), None, tmp_path / 'x.png')


def test_images_without_classes_have_no_frames_and_one_color(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
    features = torch.randn(12, 5)
    queries = choose_queries(12, 4)
    assert len(set(queries)) == 4
    assert max(queries) < 12
    assert queries != choose_queries(12, 4, seed=1)
    plot_neighbours(images, features, None, queries, tmp_path / 'neighbours.png', k=3)
    pixels = _picture(tmp_path / 'neighbours.png')
    assert not any(_has_colour(pixels, c) for c in ('1a7f37', 'c62828'))
    plot_tsne(features, None, None, tmp_path / 'tsne.png')
    pixels = _picture(tmp_path / 'tsne.png')
    assert abs(pixels.shape[1] - pixels.shape[0]) < 5  # no legend beside the map
    hues = {
        tuple(c) for c in np.unique(pixels.reshape(-1, 3), axis=0) if np.ptp(c.astype(int)) > 90
    }
    strongest = [max(c) - min(c) for c in hues]
    assert strongest
    assert len({int(np.argmax(c)) for c in hues}) == 1
    with pytest.raises(ValueError, match=r'12 images, 5 features: the numbers must be equal'):
        plot_neighbours(images, features[:5], None, [0], tmp_path / 'x.png')


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
    pixels = _picture(tmp_path / 'tsne.png')
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
    _picture(tmp_path / 'tsne.png')


def test_tsne_needs_points_that_differ() -> None:
    with pytest.raises(ValueError, match='at least 3 features'):
        embed_tsne(torch.randn(2, 4))
    with pytest.raises(ValueError, match='collapsed'):
        embed_tsne(torch.ones(10, 4))


@pytest.mark.slow
def test_importing_does_not_load_matplotlib() -> None:
    code = 'import sys, mmrel.visualization; assert "matplotlib" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)
