"""What the extractor and the predictor share: images in memory, types, memory format."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmrel.apis import FeatureExtractor
from mmrel.datasets import BrokenImageError
from mmrel.datasets.image_list import ImageList, ImageListDataset
from tests.commands import TINY


@pytest.mark.parametrize('num_workers', [0, 2])
def test_pillow_images_are_treated_as_files(
    model: nn.Module, extractor: FeatureExtractor, paths: list[str], num_workers: int
) -> None:
    expected = extractor(paths)
    other = FeatureExtractor(model, batch_size=4, num_workers=num_workers, progress=False)
    # Open files, not decoded yet: workers must not share their position.
    mixed = [path if i % 5 == 0 else Image.open(path) for i, path in enumerate(paths)]
    result = other.extract(mixed)
    np.testing.assert_array_equal(result.features, expected)
    assert result.paths == [path if i % 5 == 0 else None for i, path in enumerate(paths)]
    single = extractor(Image.open(paths[2]))
    np.testing.assert_allclose(single, expected[2:3], rtol=1e-4, atol=1e-5)


def test_modes_and_orientation_of_pillow_images_count_as_in_files(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 64, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    images = {
        'rgba.png': (Image.fromarray(pixels), {}),
        'palette.gif': (Image.fromarray(pixels[..., :3]).quantize(16), {}),
        'deep.png': (Image.fromarray(draw.integers(0, 65536, (40, 64), dtype=np.uint16)), {}),
        'turned.png': (Image.fromarray(pixels[..., :3]), dict(exif=turned)),
    }
    for name, (image, options) in images.items():
        image.save(tmp_path / name, **options)
    files = [str(tmp_path / name) for name in images]
    expected = extractor(files)
    np.testing.assert_array_equal(extractor([Image.open(file) for file in files]), expected)
    decoded = [Image.open(file) for file in files]
    for image in decoded:
        image.load()
    np.testing.assert_array_equal(extractor(decoded), expected)
    assert np.abs(extractor(decoded[3].convert('RGB')) - expected[3]).max() < 1e-4
    upright = Image.fromarray(np.asarray(decoded[3]))  # without its EXIF data
    assert np.abs(extractor(upright) - expected[3]).max() > 1e-3


def test_broken_pillow_images_are_broken_images(
    model: nn.Module, paths: list[str], with_broken: list[str]
) -> None:
    closed = Image.open(paths[1])
    closed.close()
    inputs = [paths[0], Image.open(with_broken[6]), closed, paths[2]]
    with pytest.raises(BrokenImageError, match=r"image 'inputs\[1\]' cannot be decoded"):
        FeatureExtractor(model, progress=False)(inputs)
    result = FeatureExtractor(model, progress=False, skip_broken=True).extract(inputs)
    assert (result.rows, result.broken) == ([0, 3], ['inputs[1]', 'inputs[2]'])


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_is_close_and_comes_out_as_float32(
    model: nn.Module, extractor: FeatureExtractor, paths: list[str], dtype: str
) -> None:
    expected = extractor(paths)
    seen = []
    handle = model.backbone.layer1.register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    half = FeatureExtractor(model, progress=False, dtype=dtype)(paths)
    handle.remove()
    assert seen == [getattr(torch, dtype)]
    assert half.dtype == np.float32
    assert 0 < np.abs(half - expected).max() < 0.05 * np.abs(expected).max()


def test_a_type_that_does_not_exist_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"dtype='half' must be one of float32, bfloat16, float16"):
        FeatureExtractor(model, dtype='half')


def test_channels_last_changes_the_layout_not_the_features(
    checkpoint: Path, extractor: FeatureExtractor, paths: list[str]
) -> None:
    other = FeatureExtractor(TINY, checkpoint, channels_last=True, batch_size=4, progress=False)
    strides = []
    other.model.backbone.register_forward_pre_hook(
        lambda _, x: strides.append(x[0].is_contiguous(memory_format=torch.channels_last))
    )
    np.testing.assert_allclose(other(paths), extractor(paths), rtol=1e-4, atol=1e-5)
    assert set(strides) == {True}
    weight = other.model.backbone.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_features_are_the_same_with_stored_images_and_one_by_one(
    model: nn.Module,
    images: Path,
    tmp_path: Path,
    num_workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('MMREL_HOME', str(tmp_path))
    settings = dict(batch_size=4, num_workers=num_workers, progress=False)
    with monkeypatch.context() as patched:
        patched.delattr(ImageListDataset, '__getitems__')
        expected = FeatureExtractor(model, cache=False, **settings)(images)
    for cache in (False, True, True):
        found = FeatureExtractor(model, cache=cache, **settings)(images)
        np.testing.assert_array_equal(found, expected)
    assert len(list(tmp_path.glob('decoded/*.decoded'))) == 1
    with pytest.raises(ValueError, match="cache='on' must be 'auto', True or False"):
        FeatureExtractor(model, cache='on')


def test_a_broken_image_of_a_folder_keeps_the_rows_before_it(
    model: nn.Module, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    folder = tmp_path / 'folder'
    shutil.copytree(images, folder)
    files = ImageList(folder).items
    whole = [*files[:5], *files[6:8]]  # two batches of four
    expected = FeatureExtractor(model, batch_size=4, progress=False)(whole)
    Path(files[5]).write_bytes(Path(files[5]).read_bytes()[:60])
    for _ in range(2):
        with pytest.raises(BrokenImageError, match=f"image '{files[5]}' cannot be d") as caught:
            FeatureExtractor(model, batch_size=4, progress=False, cache=True)(folder)
        assert caught.value.finished.paths == whole
        np.testing.assert_allclose(caught.value.finished.features, expected, 1e-4, 1e-5)
