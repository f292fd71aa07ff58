"""Features for use, against a slow reference."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmrel.apis import FeatureExtractor, get_model
from mmrel.datasets import BrokenImageError
from mmrel.utils import load_checkpoint_file
from mmrel.utils.publish import publish
from tests.commands import TINY, TINY_LINEAR


@torch.no_grad()
def _reference(model: nn.Module, path: str) -> np.ndarray:
    """One image at a time, by Pillow and NumPy alone, up to the backbone."""
    image = Image.open(path).convert('RGB')
    short = min(image.size)
    size = [int(32 * side / short) for side in image.size]
    image = image if image.size == tuple(size) else image.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((side - 32) / 2) for side in size)
    pixels = np.asarray(image.crop((left, top, left + 32, top + 32))).astype(np.float64)
    config = Config.fromfile(TINY).data_preprocessor
    x = ((pixels - config.mean) / config.std).transpose(2, 0, 1)[None]
    (maps,) = model.backbone(torch.from_numpy(x.astype(np.float32)))
    return maps[0].double().numpy().mean(axis=(1, 2))


def test_features_are_the_references(
    extractor: FeatureExtractor, model: nn.Module, paths: list[str]
) -> None:
    features = extractor(paths)
    assert features.dtype == np.float32
    expected = np.stack([_reference(model, path) for path in paths])
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.05  # or the order would not show


def test_weights_are_loaded_before_extraction(checkpoint: Path, paths: list[str]) -> None:
    state = load_checkpoint_file(checkpoint)['state_dict']
    expected = FeatureExtractor(TINY, checkpoint, progress=False)(paths)
    untrained = FeatureExtractor(TINY, pretrained=False, progress=False)
    assert np.abs(untrained(paths) - expected).max() > 0.01
    untrained.model.load_state_dict(state)
    np.testing.assert_array_equal(untrained(paths), expected)


@pytest.mark.parametrize('config', [TINY, TINY_LINEAR])
def test_a_published_backbone_gives_the_same_features(
    checkpoint: Path, extractor: FeatureExtractor, paths: list[str], tmp_path: Path, config: Path
) -> None:
    published = publish(load_checkpoint_file(checkpoint), str(tmp_path / 'tiny.pth'))
    other = FeatureExtractor(config, published, batch_size=4, progress=False)
    np.testing.assert_array_equal(other(paths), extractor(paths))


def test_arrays_are_treated_as_files(extractor: FeatureExtractor, paths: list[str]) -> None:
    arrays = [np.asarray(Image.open(path).convert('RGB')) for path in paths]
    expected = extractor(paths)
    np.testing.assert_array_equal(extractor(arrays), expected)
    mixed = [arrays[i] if i % 2 else Path(path) for i, path in enumerate(paths)]
    np.testing.assert_array_equal(extractor(mixed), expected)
    result = extractor.extract(mixed)
    assert result.paths == [None if i % 2 else path for i, path in enumerate(paths)]
    # Alone in a batch: rounding may differ.
    np.testing.assert_allclose(extractor(arrays[0]), expected[:1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(extractor(paths[0]), expected[:1], rtol=1e-4, atol=1e-5)


def test_one_array_is_many_images(extractor: FeatureExtractor) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (9, 40, 36, 3), dtype=np.uint8)
    np.testing.assert_array_equal(extractor(batch), extractor(list(batch)))
    flipped = extractor(batch[:, :, ::-1])  # not contiguous in memory
    np.testing.assert_array_equal(flipped, extractor(batch[:, :, ::-1].copy()))


def test_a_folder_is_all_images_below_it(
    extractor: FeatureExtractor, images: Path, paths: list[str]
) -> None:
    result = extractor.extract(images)
    assert sorted(result.paths) == paths
    assert result.rows == list(range(len(paths)))
    np.testing.assert_array_equal(result.features, extractor(result.paths))
    twice = extractor.extract([paths[5], str(images / 'b'), paths[5]])
    assert twice.paths == [paths[5], *(p for p in paths if '/b/' in p), paths[5]]


def test_permuted_images_give_permuted_features(
    extractor: FeatureExtractor, paths: list[str]
) -> None:
    order = np.random.default_rng(1).permutation(len(paths))
    permuted = extractor([paths[i] for i in order])
    np.testing.assert_allclose(permuted, extractor(paths)[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('batch_size', 'num_workers'), [(1, 0), (5, 2), (21, 1), (64, 3), (2, 2)])
def test_batches_and_workers_do_not_matter(
    model: nn.Module,
    extractor: FeatureExtractor,
    paths: list[str],
    batch_size: int,
    num_workers: int,
) -> None:
    other = FeatureExtractor(model, batch_size=batch_size, num_workers=num_workers, progress=False)
    np.testing.assert_allclose(other(paths), extractor(paths), rtol=1e-4, atol=1e-5)


def test_pipeline_is_the_one_that_the_config_evaluates_with() -> None:
    name = 'ressl_resnet18_1xb256-coslr-200e_tiny-imagenet'
    small = {'model.memory.size': 64, 'model.backbone.base_channels': 4}
    options = dict(small, **{'model.backbone.stem_channels': 4})
    extractor = FeatureExtractor(name, pretrained=False, cfg_options=options, progress=False)
    sizes = []
    extractor.model.backbone.register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape))
    extractor(np.zeros((2, 100, 80, 3), np.uint8))
    assert sizes == [(2, 3, 64, 64)]


def test_a_model_that_is_there_already(checkpoint: Path, paths: list[str]) -> None:
    model = get_model(TINY, checkpoint)
    expected = FeatureExtractor(model, progress=False)(paths)
    statistics = model.backbone.bn1.running_mean.clone()
    np.testing.assert_array_equal(FeatureExtractor(model.train(), progress=False)(paths), expected)
    torch.testing.assert_close(model.backbone.bn1.running_mean, statistics, rtol=0, atol=0)
    other = get_model(TINY)
    np.testing.assert_array_equal(
        FeatureExtractor(other, checkpoint, progress=False)(paths), expected
    )
    del model._config
    with pytest.raises(ValueError, match=r'built without a config; .*pass pipeline='):
        FeatureExtractor(model)
    pipeline = [dict(type='LoadImage'), dict(type='CentralView', size=32), dict(type='PackInputs')]
    own = FeatureExtractor(model, pipeline=pipeline, progress=False)
    np.testing.assert_array_equal(own(paths), expected)
    with pytest.raises(ValueError, match='starts with LoadImage'):
        FeatureExtractor(model, pipeline=pipeline[1:])(np.zeros((1, 32, 32, 3), np.uint8))


def test_features_of_the_teacher(checkpoint: Path, paths: list[str]) -> None:
    model = get_model(TINY, checkpoint)
    expected = np.stack([_reference(model.teacher, path) for path in paths])
    features = FeatureExtractor(TINY, checkpoint, teacher=True, progress=False)(paths)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(features - FeatureExtractor(model, progress=False)(paths)).max() > 1e-3
    # A step that the teacher has still to make is made first.
    for parameter in model.parameters():
        parameter.data.add_(0.01)
    model.teacher.hold_back(model._student(), 0.0)  # becomes the student
    moved = FeatureExtractor(model, teacher=True, progress=False)(paths)
    student = get_model(TINY)
    student.load_state_dict(model.state_dict())
    student.backbone.load_state_dict(model.teacher.backbone.state_dict())
    np.testing.assert_allclose(
        moved, FeatureExtractor(student, progress=False)(paths), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(model.teacher.backbone.conv1.weight, model.backbone.conv1.weight)


def test_a_bar_that_can_be_switched_off(
    model: nn.Module, paths: list[str], capfd: pytest.CaptureFixture
) -> None:
    FeatureExtractor(model, progress=False)(paths)
    assert capfd.readouterr() == ('', '')
    FeatureExtractor(model)(paths)
    out, err = capfd.readouterr()
    assert out == ''
    assert f'{len(paths)}/{len(paths)}' in err


@pytest.mark.parametrize('num_workers', [0, 2])
def test_a_broken_image_stops_it_and_keeps_what_is_done(
    model: nn.Module, paths: list[str], with_broken: list[str], num_workers: int
) -> None:
    extractor = FeatureExtractor(model, batch_size=4, num_workers=num_workers, progress=False)
    with pytest.raises(BrokenImageError) as caught:
        extractor(with_broken)
    message = str(caught.value)
    assert message.count('\n') == 0
    assert repr(with_broken[6]) in message
    assert 'skip_broken=True' in message
    finished = caught.value.finished
    # The two whole batches: the first, and the rest of the second.
    assert finished.paths == [with_broken[i] for i in (0, 1, 2, 3, 4, 5, 7)]
    assert finished.rows == [0, 1, 2, 3, 4, 5, 7]
    np.testing.assert_allclose(finished.features, extractor(paths[:7]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_broken_images_are_left_out(
    model: nn.Module, paths: list[str], with_broken: list[str], num_workers: int
) -> None:
    skipping = FeatureExtractor(
        model, batch_size=4, num_workers=num_workers, skip_broken=True, progress=False
    )
    result = skipping.extract(with_broken)
    assert result.paths == paths
    assert result.rows == [i for i in range(23) if i not in (6, 13)]
    assert result.broken == [with_broken[6], with_broken[13]]
    np.testing.assert_allclose(result.features, skipping(paths), rtol=1e-4, atol=1e-5)
    with pytest.raises(BrokenImageError, match='none of the 2 images'):
        skipping(result.broken)


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
def test_whatever_ends_it_early_keeps_what_is_done(
    model: nn.Module, paths: list[str], error: type[BaseException]
) -> None:
    extractor = FeatureExtractor(model, batch_size=4, progress=False)
    expected = extractor(paths)
    calls = []

    def stop_at_third(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise error('stop')

    handle = model.backbone.register_forward_pre_hook(stop_at_third)
    with pytest.raises(error) as caught:
        extractor(paths)
    handle.remove()
    assert caught.value.finished.paths == paths[:8]
    np.testing.assert_array_equal(caught.value.finished.features, expected[:8])


@pytest.mark.parametrize(
    ('inputs', 'error', 'message'),
    [
        ('/no/such.jpg', FileNotFoundError, r"1 path\(s\) do not exist: '/no/such.jpg'"),
        (['/no/a.jpg', '/no/b.jpg'], FileNotFoundError, r'2 path\(s\) do not exist'),
        ([], ValueError, 'the list of inputs is empty'),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, 'the list of inputs is empty'),
        (np.zeros((8, 8), np.uint8), ValueError, r'inputs is an array of shape \(8, 8\)'),
        (np.zeros((2, 3, 8, 8), np.uint8), ValueError, r'inputs\[0\] is an array of shape \(3, 8'),
        ([np.zeros((8, 8, 3))], ValueError, r'inputs\[0\].*dtype float64'),
        ([np.zeros((0, 8, 3), np.uint8)], ValueError, r'inputs\[0\].*shape \(0, 8, 3\)'),
        (3, TypeError, 'inputs is a int'),
        (['/no/such.jpg', 3], TypeError, r'inputs\[1\] is a int'),
    ],
)
def test_bad_inputs_are_refused_before_any_work(
    model: nn.Module, inputs: Any, error: type[Exception], message: str
) -> None:
    calls = []
    handle = model.backbone.register_forward_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(error, match=message):
        FeatureExtractor(model, progress=False)(inputs)
    handle.remove()
    assert not calls


def test_an_empty_folder(extractor: FeatureExtractor, tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('no image')
    with pytest.raises(ValueError, match=rf"no images in folder '{re.escape(str(tmp_path))}"):
        extractor(tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(batch_size=0), 'batch_size=0'),
        (dict(num_workers=-1), 'num_workers=-1'),
        (dict(device='gpu9'), "device='gpu9' cannot be used"),
        (dict(cfg_options={'a': 1}), 'this model is already built'),
    ],
)
def test_bad_settings(model: nn.Module, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(model, **arguments)


def test_a_model_without_a_backbone() -> None:
    with pytest.raises(ValueError, match='Linear has no backbone'):
        FeatureExtractor(nn.Linear(2, 2))
