"""Images as a user gives them, in order, and batches in which some are broken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from PIL import Image

from mmrel.datasets import LoadImage, decoded_cache
from mmrel.datasets.image_list import ImageList, ImageListDataset, collate_read
from mmrel.registry import DATASETS, TRANSFORMS
from tests.odd_images import RGB, saved

PNG = saved(RGB, 'PNG')


def _packed(results: dict) -> dict:
    pixels = np.array(LoadImage().transform(results)['img'])
    return dict(inputs=torch.from_numpy(pixels), row=results['sample_idx'])


def test_inputs_keep_their_order_and_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / 'folder'
    (folder / 'deep').mkdir(parents=True)
    for name in ('b.png', 'a.png', 'deep/c.png', 'notes.txt'):
        (folder / name).write_bytes(PNG)
    monkeypatch.setenv('HOME', str(tmp_path))
    picture = Image.fromarray(RGB)
    images = ImageList([RGB, '~/folder', picture, folder / 'notes.txt', 'http://host/x'])
    paths = [str(folder / name) for name in ('a.png', 'b.png', 'deep/c.png')]
    named = str(folder / 'notes.txt')  # given by name, so any extension counts
    assert images.names == ['inputs[0]', *paths, 'inputs[2]', named, 'http://host/x']
    assert images.items[0] is RGB
    assert images.items[4] is picture
    assert [images.path(i) for i in range(7)] == [None, *paths, None, named, 'http://host/x']
    assert images.in_memory
    assert not ImageList(folder).in_memory


def test_only_an_array_of_four_dimensions_is_several_images() -> None:
    images = ImageList(np.stack([RGB, 255 - RGB]))
    assert images.names == ['inputs[0]', 'inputs[1]']
    np.testing.assert_array_equal(images.items[1], 255 - RGB)
    assert ImageList(RGB).names == ['inputs']


def test_paths_that_do_not_exist_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    (tmp_path / 'link.png').symlink_to('nowhere.png')  # there, and broken: no missing path
    missing = [str(tmp_path / f'{i}.png') for i in range(6)]
    named = ', '.join(map(repr, missing[:5]))
    with pytest.raises(FileNotFoundError) as caught:
        ImageList([*missing, tmp_path / 'link.png'])
    assert str(caught.value) == f'6 path(s) do not exist: {named}, ...'


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r'inputs\[1\] is a Pillow image without pixels: 0 x 3'):
        ImageList([RGB, Image.new('RGB', (0, 3))])


def test_a_batch_has_the_whole_images_and_the_reasons_of_the_others(tmp_path: Path) -> None:
    for name in ('good.png', 'gone.png', 'closed.png'):
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / 'text.png').write_text('no image')
    closed = Image.open(tmp_path / 'closed.png')
    closed.close()
    files = [tmp_path / name for name in ('text.png', 'good.png', 'gone.png')]
    dataset = ImageListDataset(ImageList([*files, closed, 255 - RGB]), _packed)
    (tmp_path / 'gone.png').unlink()
    batch = collate_read([dataset[i] for i in (4, 0, 1, 2, 3)])
    assert batch.rows == [4, 1]
    np.testing.assert_array_equal(batch.data['inputs'].numpy(), np.stack([255 - RGB, RGB]))
    assert batch.data['row'].tolist() == [4, 1]
    assert list(batch.broken) == [0, 2, 3]
    assert batch.broken[0] == 'it is not an image in a format that the installed Pillow reads'
    assert batch.broken[2] == 'it no longer exists'
    nothing = collate_read([dataset[0]])
    assert (nothing.rows, nothing.data, list(nothing.broken)) == ([], None, [0])


def _evaluation(size: int = 32, **load: object) -> Compose:
    steps = [dict(type='LoadImage', **load), dict(type='CentralView', size=size, resize=size + 3)]
    return Compose([TRANSFORMS.build(step) for step in [*steps, dict(type='PackInputs')]])


def _mixed(root: Path) -> ImageList:
    """Files, arrays and Pillow images: small, large, turned, transparent, broken."""
    draw = np.random.default_rng(0)
    sizes = [(32, 32), (35, 35), (35, 35), (20, 50), (97, 40), (130, 140)]
    arrays = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    turned = Image.Exif()
    turned[0x0112] = 6
    inputs: list = []
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(root / f'{i}.jpg', exif=turned)
        inputs += [root / f'{i}.jpg', array, Image.open(root / f'{i}.jpg')]
    clear = Image.fromarray(arrays[1]).convert('RGBA')
    clear.putalpha(100)
    closed = Image.open(root / '0.jpg')
    closed.close()
    for name in ('text.jpg', 'gone.jpg'):
        (root / name).write_text('no image')
    images = ImageList([*inputs, clear, closed, root / 'text.jpg', root / 'gone.jpg'])
    (root / 'gone.jpg').unlink()
    return images


def _content(samples: list) -> list:
    return [
        (row, sample)
        if isinstance(sample, str)
        else (row, sample['inputs'].tolist(), sample['data_samples'].to_dict())
        for row, sample in samples
    ]


@pytest.mark.parametrize('size', [32, 120])
def test_a_batch_has_the_samples_made_one_by_one(tmp_path: Path, size: int) -> None:
    images = _mixed(tmp_path)
    dataset = ImageListDataset(images, _evaluation(size))
    rows = [*range(len(images))][::-1]
    expected = [(row, dataset[row][1]) for row in rows]
    assert _content(dataset.__getitems__(rows)) == _content(expected)
    assert sum(isinstance(sample, str) for _, sample in expected) == 3


def test_a_random_pipeline_draws_as_it_does_one_by_one(tmp_path: Path) -> None:
    steps = [dict(type='LoadImage'), dict(type='WeakView', size=32), dict(type='PackInputs')]
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    dataset = ImageListDataset(_mixed(tmp_path), pipeline)
    found = []
    for read in (dataset.__getitems__, lambda rows: [dataset[row] for row in rows]):
        torch.manual_seed(3)
        found.append(_content(read([4, 0, 21, 2])))
    assert found[0] == found[1]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The files that are decoded; the stores are in ``tmp_path / 'home'``."""
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    files: list[str] = []
    read = decoded_cache.ImageReader.read

    def noted(self: decoded_cache.ImageReader, path: str, **kwargs: bool) -> Image.Image:
        files.append(Path(path).name)
        return read(self, path, **kwargs)

    monkeypatch.setattr(decoded_cache.ImageReader, 'read', noted)
    return files


def _folder(root: Path) -> Path:
    folder = root / 'folder'
    (folder / 'deep').mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ('a.png', 'deep/b.png', 'c.png'):
        pixels = draw.integers(0, 256, (36, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / 'bad.png').write_bytes(PNG[:60])
    return folder


def test_a_folder_of_small_images_is_decoded_once(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(tmp_path)
    monkeypatch.setattr(decoded_cache, '_LEAST', 4)
    plain = ImageListDataset(ImageList([str(folder)]), _evaluation())
    expected = _content([plain[row] for row in range(4)])
    for i in range(2):
        decoded.clear()
        dataset = ImageListDataset(ImageList(folder), _evaluation(), 'auto')
        assert _content(dataset.__getitems__([3, 2, 1, 0])) == expected[::-1]
        assert _content([dataset[row] for row in range(4)]) == expected
        assert sorted(decoded) == (
            ['bad.png'] * 2 if i else ['a.png', 'b.png', *['bad.png'] * 2, 'c.png']
        )
    # Of several inputs, or of another background, nothing was stored.
    for images, load in (([folder, RGB], {}), (folder, dict(background='black'))):
        decoded.clear()
        ImageListDataset(ImageList(images), _evaluation(**load), 'auto').__getitems__([0])
        assert decoded == ['a.png']


def test_a_training_set_and_an_extraction_share_the_store(
    tmp_path: Path, decoded: list[str]
) -> None:
    folder = _folder(tmp_path)
    (folder / 'bad.png').unlink()
    cfg = dict(type='ImageFolder', data_root=str(folder), with_label=False, cache=True)
    train = DATASETS.build(dict(cfg, pipeline=[dict(type='LoadImage')]))
    [train[row] for row in range(3)]
    decoded.clear()
    dataset = ImageListDataset(ImageList(folder), _evaluation(), True)
    dataset.__getitems__([0, 1, 2])
    assert decoded == []


@pytest.mark.parametrize(
    ('cache', 'message'),
    [
        ('yes', "cache='yes' must be 'auto', True or False"),
        (True, 'cache=True needs a single folder as input; set cache=False'),
    ],
)
def test_settings_of_the_cache_are_checked(cache: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageListDataset(ImageList([RGB]), _evaluation(), cache)


def test_a_pipeline_that_cannot_be_stored_is_refused(tmp_path: Path, decoded: list[str]) -> None:
    images = ImageList(_folder(tmp_path))
    with pytest.raises(ValueError, match='cache=True needs local files and a pipeline that begins'):
        ImageListDataset(images, _packed, True)
    with pytest.raises(ValueError, match='cache=True needs local files'):
        ImageListDataset(images, _evaluation(draft=True), True)
