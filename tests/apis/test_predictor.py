"""Class predictions, against mmpretrain's own and a slow reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from PIL import Image
from torch import nn

from mmrel.apis import FeatureExtractor, ImagePredictor, get_model
from mmrel.apis.predictor import Predictions
from mmrel.datasets import BrokenImageError
from mmrel.utils.publish import publish
from tests.apis.small_networks import CELLS, NAMES, SMALL_CELLS, SMALL_VIT, VIT
from tests.commands import TINY, TINY_KSHOT, TINY_LINEAR, TINY_SIMMATCH, TINY_VITAS, TINY_WCL


def _decided(model: nn.Module) -> nn.Module:
    """Weights by which images differ: an untrained head gives nearly equal scores."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.startswith(('head.', 'classifier.', 'teacher.classifier.')):
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture(scope='module')
def linear() -> nn.Module:
    # Its backbone's checkpoint is still to be given; the weights are random here.
    return _decided(get_model(TINY_LINEAR))


@pytest.fixture(scope='module')
def simmatch() -> nn.Module:
    return _decided(get_model(TINY_SIMMATCH))


def _saved(model: nn.Module, path: Path, classes: Any = NAMES) -> Path:
    meta = dict(dataset_meta=dict(classes=classes)) if classes is not None else {}
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def _inputs(path: str) -> torch.Tensor:
    """One image by Pillow alone: short side 32, center crop, (1, 3, 32, 32)."""
    image = Image.open(path).convert('RGB')
    short = min(image.size)
    size = [int(32 * side / short) for side in image.size]
    image = image if image.size == tuple(size) else image.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((side - 32) / 2) for side in size)
    pixels = np.asarray(image.crop((left, top, left + 32, top + 32)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


def _mmpretrains(model: nn.Module, path: str, **kwargs: Any) -> np.ndarray:
    """One image at a time, by the model's own ``predict``."""
    data = model.data_preprocessor(dict(inputs=_inputs(path), data_samples=[DataSample()]), False)
    with torch.no_grad():
        (sample,) = model.predict(data['inputs'], data['data_samples'], **kwargs)
    return sample.pred_score.numpy()


@pytest.mark.parametrize(
    ('config', 'options'),
    [
        (TINY_LINEAR, {}),
        (VIT, SMALL_VIT),
        (CELLS, SMALL_CELLS),
    ],
    ids=['linear', 'searched-vit', 'cells'],
)
def test_scores_are_mmpretrains(paths: list[str], config: Any, options: dict) -> None:
    model = _decided(get_model(config, cfg_options=options))
    result = ImagePredictor(model, batch_size=4, progress=False).predict(paths)
    expected = np.stack([_mmpretrains(model, path) for path in paths])
    assert result.scores.dtype == np.float32
    np.testing.assert_allclose(result.scores, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # or the order would not show
    assert result.paths == paths
    assert result.classes is None


@pytest.mark.parametrize('network', ['student', 'teacher'])
def test_simmatch_classifies_with_student_or_teacher(
    simmatch: nn.Module, paths: list[str], network: str
) -> None:
    predictor = ImagePredictor(simmatch, batch_size=4, progress=False, teacher=network == 'teacher')
    expected = np.stack([_mmpretrains(simmatch, path, network=network) for path in paths])
    scores = predictor.predict(paths).scores
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    other = 'student' if network == 'teacher' else 'teacher'
    different = np.stack([_mmpretrains(simmatch, path, network=other) for path in paths])
    assert np.abs(scores - different).max() > 0.01


def test_it_returns_what_mmpretrains_inferencer_does(
    linear: nn.Module, paths: list[str], tmp_path: Path
) -> None:
    checkpoint = _saved(linear, tmp_path / 'linear.pth')
    rows = ImagePredictor(TINY_LINEAR, checkpoint, progress=False)(paths[:4])
    for path, row in zip(paths, rows, strict=False):
        expected = _mmpretrains(linear, path)
        np.testing.assert_allclose(row['pred_scores'], expected, rtol=1e-4, atol=1e-5)
        assert row['pred_label'] == expected.argmax()
        assert row['pred_score'] == pytest.approx(expected.max(), rel=1e-4)
        assert row['pred_class'] == NAMES[expected.argmax()]
    (row,) = ImagePredictor(linear, progress=False)(paths[0])
    assert set(row) == {'pred_scores', 'pred_label', 'pred_score'}


def test_top_classes_and_their_table() -> None:
    scores = np.array([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2]], np.float32)
    result = Predictions(scores, [0, 1], ['a.jpg', None], [], NAMES)
    numbers, best = result.top(2)
    assert numbers.tolist() == [[1, 2], [0, 1]]
    np.testing.assert_array_equal(best, np.array([[0.6, 0.3], [0.4, 0.4]], np.float32))
    assert result.top(9)[0].shape == (2, 3)
    table = result.table(2)
    assert list(table) == ['path', 'class', 'score', 'class_2', 'score_2']
    assert table['path'] == ['a.jpg', None]
    assert (table['class'], table['class_2']) == (['bee', 'ant'], ['cat', 'bee'])
    result.classes = None
    assert result.table()['class'] == [1, 0]
    with pytest.raises(ValueError, match='top_k=0 must be at least 1'):
        result.top(0)


def test_class_names_come_from_the_checkpoint_if_they_fit(
    linear: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr('mmrel.apis.predictor.print_log', lambda text, **_: said.append(text))
    for classes, expected in ((NAMES, NAMES), (None, None), (('ant', 'bee'), None)):
        checkpoint = _saved(linear, tmp_path / 'linear.pth', classes)
        assert ImagePredictor(TINY_LINEAR, checkpoint, progress=False).classes == expected
    assert len(said) == 1
    assert 'do not match its classifier (2 names for 3 outputs)' in said[0]
    given = ImagePredictor(TINY_LINEAR, checkpoint, classes=['x', 'y', 'z'], progress=False)
    assert given.classes == ('x', 'y', 'z')
    with pytest.raises(ValueError, match='classes do not match the classifier: 1 names for 3'):
        ImagePredictor(linear, classes=['x'])


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (TINY, 'ReSSL has no classifier: train one .*benchmarks'),
        (TINY_WCL, 'WCL has no classifier'),
        (TINY_VITAS, 'ViTAS is a supernet: .*retrain.py'),
        (TINY_KSHOT, 'KShotNAS is a supernet: .*retrain.py'),
    ],
    ids=['ressl', 'wcl', 'vitas', 'kshot'],
)
def test_models_without_a_classifier_of_their_own(config: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ImagePredictor(config, pretrained=False)
    assert '\n' not in str(caught.value)
    if 'supernet' in message:
        with pytest.raises(ValueError, match=message):
            FeatureExtractor(config, pretrained=False)


def test_several_labels_an_image_are_refused() -> None:
    head = dict(type='MultiLabelLinearClsHead', num_classes=3, _delete_=True)
    options = {'model.head': head}
    with pytest.raises(ValueError, match='MultiLabelLinearClsHead does not predict one class'):
        ImagePredictor(TINY_LINEAR, pretrained=False, cfg_options=options)


def test_a_file_with_a_backbone_alone_has_no_classifier_and_no_teacher(
    linear: nn.Module, simmatch: nn.Module, tmp_path: Path
) -> None:
    published = publish(dict(state_dict=linear.state_dict()), str(tmp_path / 'tiny.pth'))
    with pytest.raises(ValueError, match='the classifier of LinearClassifier would be random'):
        ImagePredictor(TINY_LINEAR, published)
    with pytest.raises(ValueError, match='the teacher would be random'):
        FeatureExtractor(TINY, published, teacher=True)
    with pytest.raises(ValueError, match='LinearClassifier has no teacher'):
        ImagePredictor(linear, teacher=True)


def test_broken_images_and_what_is_done_until_then(
    linear: nn.Module, paths: list[str], with_broken: list[str]
) -> None:
    predictor = ImagePredictor(linear, batch_size=4, progress=False)
    with pytest.raises(BrokenImageError) as caught:
        predictor(with_broken)
    assert isinstance(caught.value.finished, Predictions)
    assert caught.value.finished.rows == [0, 1, 2, 3, 4, 5, 7]
    skipping = ImagePredictor(linear, batch_size=4, progress=False, skip_broken=True)
    result = skipping.predict(with_broken)
    assert result.paths == paths
    assert result.broken == [with_broken[6], with_broken[13]]
    np.testing.assert_allclose(result.scores, predictor.predict(paths).scores, rtol=1e-4, atol=1e-5)
