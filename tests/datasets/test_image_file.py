"""Files that are read, and files that are refused: settings, limits and messages."""

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch._utils import ExceptionWrapper

from mmrel.datasets import BrokenImageError, LoadImage, image_file
from tests.odd_images import (
    ALPHA,
    DEEP,
    RGB,
    RGBA,
    ROUNDED,
    WHITE,
    on,
    png,
    read,
    rgb_of,
    saved,
    tiff,
)  # fmt: skip


@pytest.mark.parametrize(
    'block', [b'Exif\0\0garbage that is not TIFF', b'Exif\0\0II*\0\xff\xff\xff\x7f']
)
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
def test_odd_images_with_damaged_exif(
    tmp_path: Path, kind: str, block: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(image_file, 'print_log', lambda text, **_: said.append(text))
    monkeypatch.setattr(image_file, '_exif_is_said', False)
    content = saved(np.full((8, 16, 3), 99, np.uint8), kind, exif=block)
    for name in ('a', 'b'):
        assert (read(tmp_path / name, content) == 99).all()
    assert len(said) == 1
    assert "/a' has damaged EXIF data" in said[0]


def _text_bomb(name: bytes, head: bytes) -> bytes:
    return png((1, 1), 8, 0, b'\0', (name, head + zlib.compress(bytes(150_000_000), 9)))


PNG = saved(RGB, 'PNG')
JPEG = saved(np.zeros((8, 8), np.uint8), 'JPEG')
_AT = JPEG.index(b'\xff\xc0') + 5
_WEBP = b'VP8L' + struct.pack('<IBI', 5, 0x2F, 0x3FFF | 0x3FFF << 14) + b'\0'
_BMP = saved(RGB, 'BMP')
_ONE = struct.pack('<HHII', 277, 4, 1, 1)
_LONG = struct.pack('<HHII', 277, 4, 2**31, 8)
_TOO_LARGE = r'pixels, more than max_pixels=89478485'
_INNER = png((12000, 12000), 1, 0, bytes(1500 * 12000))
_ICON = struct.pack('<HHHBBBBHHII', 0, 1, 1, 16, 16, 0, 0, 1, 32, len(_INNER), 22) + _INNER
# What happens: an error's words, or None: the image is read without what is too large.
BOMBS = {
    'PNG': (png((12000, 12000), 8, 0, b''), '12000 x 12000 = 144000000 ' + _TOO_LARGE),
    'larger PNG': (png((2**20, 2**20), 8, 0, b''), '1099511627776 ' + _TOO_LARGE),
    'JPEG': (JPEG[:_AT] + b'\xff\xdc\xff\xdc' + JPEG[_AT + 4 :], '4290250000 ' + _TOO_LARGE),
    'GIF': (b'GIF89a' + b'\xff' * 4 + b'\0\0\0,\0\0\0\0' + b'\xff' * 4 + b'\0\2\0;', _TOO_LARGE),
    'TIFF': (tiff('<', (2**30, 2**30), b'', {}), _TOO_LARGE),
    'BMP': (_BMP[:18] + struct.pack('<ii', 2**30, 2**30) + _BMP[26:], _TOO_LARGE),
    'WebP': (b'RIFF' + struct.pack('<I', 4 + len(_WEBP)) + b'WEBP' + _WEBP, 'cannot be decoded'),
    'icon': (_ICON, '144000000 ' + _TOO_LARGE),
    'text': (_text_bomb(b'zTXt', b'k\0\0'), 'Decompressed data too large'),
    'color profile': (_text_bomb(b'iCCP', b'k\0\0'), 'Decompressed data too large'),
    'long tag': (tiff('<', (2, 2), bytes(8), {}).replace(_ONE, _LONG), None),
}


def _peak_megabytes() -> float:
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) / 1024


@pytest.mark.parametrize('kind', BOMBS)
def test_odd_images_do_not_fill_the_memory(tmp_path: Path, kind: str) -> None:
    content, message = BOMBS[kind]
    linux = Path('/proc/self/clear_refs').exists()
    if linux:
        Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = _peak_megabytes() if linux else 0
    if message is None:
        read(tmp_path / 'bomb', content)
    else:
        with pytest.raises(BrokenImageError, match=message) as caught:
            read(tmp_path / 'bomb', content)
        assert "/bomb'" in str(caught.value)
        assert '\n' not in str(caught.value)
    if linux:
        assert _peak_megabytes() - before < 200


def test_odd_images_above_the_bound_are_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = saved(RGB, 'PNG')
    with pytest.raises(BrokenImageError, match=r'7 x 5 = 35 pixels, more than max_pixels=34'):
        read(tmp_path / 'x.png', content, max_pixels=34)
    np.testing.assert_array_equal(read(tmp_path / 'x.png', content, max_pixels=35), RGB)
    # Pillow's own bound, too, gives way to the setting.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 10)
    with pytest.raises(BrokenImageError, match=r'35 pixels, more than max_pixels=12'):
        read(tmp_path / 'x.png', content, max_pixels=12)
    np.testing.assert_array_equal(read(tmp_path / 'x.png', content, max_pixels=40), RGB)


@pytest.mark.parametrize(
    'settings',
    [dict(background='no color'), dict(background=(0, 0, 256)), dict(background=(1, 2)),
     dict(background='rgb(300,0,0)'),
     dict(value_range=(1, 1)), dict(value_range=(0, float('inf'))), dict(value_range=5),
     dict(max_pixels=0), dict(max_pixels=1e9)],
)  # fmt: skip
def test_odd_images_settings_are_checked(settings: dict) -> None:
    with pytest.raises(ValueError, match=f'{next(iter(settings))}=.* must be'):
        LoadImage(**settings)


def test_odd_images_settings_reach_workers() -> None:
    load = pickle.loads(pickle.dumps(LoadImage(background='black', value_range=(0, 9))))
    assert (load.reader.background, load.reader.value_range) == ((0, 0, 0), (0, 9))


def test_odd_images_as_arrays() -> None:
    """What a data set holds in memory follows the same rules."""
    for array, right in ((RGBA, on(WHITE, RGB, ALPHA)), (DEEP.astype(np.uint16), rgb_of(ROUNDED))):
        pixels = LoadImage().transform(dict(img=array))['img']
        np.testing.assert_array_equal(np.asarray(pixels), right)


def test_odd_images_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'nowhere\.jpg.* does not exist'):
        LoadImage().transform(dict(img_path=str(tmp_path / 'nowhere.jpg')))


ERRORS = [
    PermissionError(13, 'Permission denied'), OSError('odd'), SyntaxError('odd'), ValueError('odd'),
    struct.error('odd'), MemoryError(), EOFError(), ZeroDivisionError('odd'), KeyError('odd'),
    TypeError('odd'), AttributeError('odd'), IndexError('two\nlines'), RecursionError('odd'),
    OverflowError('odd'), NotImplementedError('odd'), UnicodeDecodeError('ascii', b'', 0, 1, 'odd'),
]  # fmt: skip


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_odd_images_whatever_pillow_raises(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args, **_kwargs) -> None:
        raise error

    path = tmp_path / 'x.png'
    path.write_bytes(PNG)
    monkeypatch.setattr(image_file.Image, 'open', fail)
    with pytest.raises(BrokenImageError, match=r"x\.png' cannot be decoded \(['\w]") as caught:
        LoadImage().transform(dict(img_path=str(path)))
    assert '\n' not in str(caught.value)


def test_odd_images_a_worker_meets(tmp_path: Path) -> None:
    """The message arrives without the worker's traceback."""
    path = tmp_path / 'x.png'
    path.write_bytes(b'text')
    try:
        LoadImage().transform(dict(img_path=str(path)))
    except BrokenImageError as error:
        message, wrapped = str(error), ExceptionWrapper(where='in DataLoader worker process 0')
    with pytest.raises(BrokenImageError) as caught:
        wrapped.reraise()
    assert str(caught.value) == message


def test_odd_images_do_not_change_usual_ones(tmp_path: Path) -> None:
    """A usual photograph's pixels are Pillow's."""
    draw = np.random.default_rng(3).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for name in ('x.jpg', 'x.png', 'x.bmp'):
        Image.fromarray(draw).save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            right = np.asarray(image)
        ours = LoadImage().transform(dict(img_path=str(tmp_path / name)))['img']
        np.testing.assert_array_equal(np.asarray(ours), right)
