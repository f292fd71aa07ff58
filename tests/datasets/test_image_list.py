"""Images as a user gives them, in order, and batches in which some are broken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets import LoadImage
from mmrel.datasets.image_list import ImageList, ImageListDataset, collate_read
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
