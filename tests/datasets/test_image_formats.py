"""Which extensions count as images."""

import pytest

from mmrel.datasets.image_formats import check_extensions, has_extension, image_extensions


def test_odd_images_extensions_of_this_pillow() -> None:
    """Pictures, and nothing that Pillow only names or has others draw."""
    known = set(image_extensions())
    assert {'.jpg', '.jfif', '.png', '.apng', '.webp', '.tif', '.tiff', '.gif', '.bmp', '.ppm',
            '.jp2', '.tga', '.ico', '.mpo'} <= known  # fmt: skip
    assert not known & {'.eps', '.ps', '.pdf', '.wmf', '.h5', '.hdf', '.mpg', '.mpeg', '.fits'}
    with pytest.raises(ValueError, match='extensions is empty'):
        check_extensions([])
    with pytest.raises(TypeError, match='must be strings'):
        check_extensions([1])


def test_extensions_are_normalized_however_they_are_given() -> None:
    expected = ('', '.jpg', '.png')
    assert check_extensions([' PNG,jpg', '.JPG', '']) == expected
    assert check_extensions('.png, jpg,') == expected  # the last comma stands for no extension
    assert check_extensions(None) == image_extensions()


@pytest.mark.parametrize(
    ('name', 'extensions', 'matches'),
    [
        ('a/B.JPG', ('.jpg',), True),
        ('a.jpg/b', ('.jpg',), False),  # the folder's name
        ('a.jpg/b', ('', '.jpg'), True),
        ('a/b.png', ('', '.jpg'), False),
        ('a/.jpg', ('', '.png'), True),  # a hidden file without an extension
        ('a/.b.jpg', ('.jpg',), True),
        ('ajpg', ('.jpg',), False),
        ('a.tar.gz', ('.tar.gz',), True),
    ],
)
def test_an_extension_is_that_of_the_file_alone(
    name: str, extensions: tuple[str, ...], matches: bool
) -> None:
    assert has_extension(name, extensions) is matches
