"""Class predictions as a command and as tables."""

import csv
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mmrel.apis import ImagePredictor, get_model
from mmrel.apis.predict import main
from tests.commands import TINY, TINY_LINEAR, call

PREDICT = 'mmrel.apis.predict'
NAMES = ('ant', 'bee, wild', 'cat')


@pytest.fixture(scope='module')
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = get_model(TINY_LINEAR)
    torch.nn.init.normal_(model.head.fc.weight)
    path = tmp_path_factory.mktemp('classifier') / 'linear.pth'
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=NAMES))), path
    )
    return path


def _rows(path: Path) -> list[dict]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_command_writes_csv_and_parquet(
    images: Path, paths: list[str], classifier: Path, tmp_path: Path
) -> None:
    inputs = [images / 'b', paths[0]]
    expected = ImagePredictor(TINY_LINEAR, classifier, batch_size=4, progress=False).predict(inputs)
    common = [PREDICT, TINY_LINEAR, *inputs, '--pretrained', classifier, '--batch-size', 4]
    out, parquet = tmp_path / 'new' / 'table.csv', tmp_path / 'table.parquet'
    output = call(*common, '--out', out, '--no-progress', '--top-k', 2)
    assert re.search(
        rf'^{len(expected.rows)} images, 3 classes, [\d.]+ images/s: {out}$', output, re.M
    )
    rows = _rows(out)
    assert list(rows[0]) == ['path', 'class', 'score', 'class_2', 'score_2']
    numbers, scores = expected.top(2)
    assert [row['path'] for row in rows] == expected.paths
    for i, end in enumerate(['', '_2']):
        assert [row[f'class{end}'] for row in rows] == [NAMES[n] for n in numbers[:, i]]
        written = np.array([row[f'score{end}'] for row in rows], np.float32)
        np.testing.assert_array_equal(written, scores[:, i])

    call(*common, '--out', parquet, '--no-progress')
    table = pq.read_table(parquet)
    assert table.column_names == ['path', 'class', 'score']
    assert str(table.schema.field('score').type) == 'float'
    assert table['class'].to_pylist() == [NAMES[n] for n in numbers[:, 0]]
    np.testing.assert_array_equal(table['score'].to_numpy(), scores[:, 0])


def test_command_keeps_what_is_done(
    paths: list[str], with_broken: list[str], classifier: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'table.csv'
    out.write_text('of an earlier run')
    common = [PREDICT, TINY_LINEAR, *with_broken, '--pretrained', classifier, '--batch-size', 4]
    common += ['--no-progress', '--num-workers', 0, '--out', out]
    output = call(*common, fails=True)
    partial = tmp_path / 'table.partial.csv'
    assert f'the results of the 7 finished images are in {partial}' in output
    assert f'error: image {with_broken[6]!r} cannot be decoded' in output
    assert out.read_text() == 'of an earlier run'
    assert [row['path'] for row in _rows(partial)] == paths[:7]
    output = call(*common, '--skip-broken')
    assert 'skipped 2 of 23 images because they cannot be decoded' in output
    assert [row['path'] for row in _rows(out)] == paths


@pytest.mark.parametrize(
    ('model', 'more', 'message'),
    [
        (TINY_LINEAR, ['--out', 'table.npy'], 'the file extension must be .csv or .parquet'),
        (TINY, ['--out', 't.csv', '--cfg-options', 'model.memory.size=8'], 'does not fit'),
        (TINY_LINEAR, ['--out', 't.csv', '--teacher'], 'LinearClassifier has no teacher'),
    ],
)
def test_bad_arguments_are_refused_before_any_work(
    images: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    model: Path, more: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([str(model), str(images), '--pretrained', str(classifier), *more])
    assert re.fullmatch(rf'error: .*{re.escape(message)}.*', caught.value.code, re.DOTALL)
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_classifier(images: Path, checkpoint: Path, tmp_path: Path) -> None:
    output = call(
        PREDICT, TINY, images, '--pretrained', checkpoint, '--out', tmp_path / 't.csv', fails=True
    )
    assert 'error: ReSSL has no classifier: train one' in output
