"""What a file shows is what is read: exact pixels of many kinds of images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrel.datasets import BrokenImageError
from mmrel.datasets.image_modes import to_rgb
from tests.odd_images import (
    ALPHA,
    DEEP,
    FLOATS,
    GRAY,
    RGB,
    RGBA,
    ROUNDED,
    WHITE,
    exif,
    on,
    png,
    read,
    rgb_of,
    saved,
    stored,
    tiff,
)  # fmt: skip

SIZE = (7, 5)
OPAQUE = np.where(np.arange(35).reshape(5, 7) % 3, 255, 0).astype(np.uint8)
PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
COLORED = Image.fromarray(GRAY)  # with the palette: mode P
COLORED.putpalette(PALETTE.tobytes())
ONE_BIT = (np.arange(40).reshape(5, 8) % 3 == 0).astype(np.uint8)
OTHER = Image.fromarray(255 - RGB)
WITH_ALPHA = Image.fromarray(RGBA)
ICON = np.resize(RGBA, (16, 16, 4))


def _big(values: np.ndarray) -> bytes:
    return values.astype('>u2').tobytes()


def _cmyk_to_rgb(cmyk: np.ndarray) -> np.ndarray:
    """White of the key, less each ink's share of it, rounded."""
    white = 255 - cmyk[..., 3:].astype(int)
    return (white - (2 * cmyk[..., :3].astype(int) * white + 255) // 510).astype(np.uint8)


def _twelve_bits(values: np.ndarray) -> bytes:
    rows = []
    for row in values:
        bits = ''.join(f'{v:012b}' for v in row)
        bits += '0' * (-len(bits) % 8)
        rows.append(int(bits, 2).to_bytes(len(bits) // 8, 'big'))
    return b''.join(rows)


CMYK = np.dstack([RGB, ALPHA])
TWELVE = DEEP // 16
NATIVE = np.array([[-5, 0, 100], [1000, 500, 2000]], np.int32)

# The file's content, and the pixels.
KINDS = {
    '1-bit gray PNG': (
        png((8, 5), 1, 0, np.packbits(ONE_BIT, axis=1).tobytes()), rgb_of(ONE_BIT * 255)),
    '1-bit gray PNG, one transparent': (
        png((8, 5), 1, 0, np.packbits(ONE_BIT, axis=1).tobytes(), (b'tRNS', b'\0\0')),
        rgb_of(np.full((5, 8), 255))),
    '2-bit gray PNG': (png((4, 1), 2, 0, b'\x1b'), rgb_of([[0, 85, 170, 255]])),
    '2-bit gray PNG, one transparent': (
        png((4, 1), 2, 0, b'\x1b', (b'tRNS', b'\0\1')), rgb_of([[0, 255, 170, 255]])),
    '4-bit gray PNG, one transparent': (
        png((4, 1), 4, 0, b'\x01\xef', (b'tRNS', b'\0\x0e')), rgb_of([[0, 17, 255, 255]])),
    '8-bit gray PNG': (saved(GRAY, 'PNG'), rgb_of(GRAY)),
    '8-bit gray PNG, one transparent': (
        saved(GRAY, 'PNG', transparency=int(GRAY[2, 3])),
        rgb_of(np.where(GRAY[2, 3] == GRAY, 255, GRAY))),
    '16-bit gray PNG': (png(SIZE, 16, 0, _big(DEEP)), rgb_of(ROUNDED)),
    '16-bit gray PNG, one transparent': (
        png(SIZE, 16, 0, _big(DEEP), (b'tRNS', _big(np.array(257)))),
        rgb_of(np.where(DEEP == 257, 255, ROUNDED))),
    'gray PNG with alpha': (
        saved(Image.merge('LA', [Image.fromarray(GRAY), Image.fromarray(ALPHA)]), 'PNG'),
        on(WHITE, rgb_of(GRAY), ALPHA)),
    '16-bit gray PNG with alpha': (
        png(SIZE, 16, 4, _big(np.dstack([GRAY, ALPHA]).astype(int) * 257)),
        on(WHITE, rgb_of(GRAY), ALPHA)),
    'RGB PNG': (saved(RGB, 'PNG'), RGB),
    'RGB PNG, one transparent': (
        saved(RGB, 'PNG', transparency=tuple(map(int, RGB[1, 1]))),
        np.where((RGB[1, 1] == RGB).all(-1, keepdims=True), 255, RGB)),
    '16-bit RGB PNG': (png(SIZE, 16, 2, _big(RGB.astype(int) * 257)), RGB),
    '16-bit RGB PNG, high byte': (png(SIZE, 16, 2, _big(RGB.astype(int) * 256 + 77)), RGB),
    'RGBA PNG': (saved(WITH_ALPHA, 'PNG'), on(WHITE, RGB, ALPHA)),
    '16-bit RGBA PNG': (png(SIZE, 16, 6, _big(RGBA.astype(int) * 257)), on(WHITE, RGB, ALPHA)),
    'palette PNG': (saved(COLORED, 'PNG'), PALETTE[GRAY]),
    'palette PNG with alphas': (
        saved(COLORED, 'PNG', transparency=bytes(range(256))), on(WHITE, PALETTE[GRAY], GRAY)),
    'palette PNG, one transparent': (
        saved(COLORED, 'PNG', transparency=int(GRAY[0, 0])),
        np.where((GRAY[0, 0] == GRAY)[..., None], 255, PALETTE[GRAY])),
    'animated PNG': (saved(RGB, 'PNG', save_all=True, append_images=[OTHER]), RGB),
    'palette GIF': (saved(COLORED, 'GIF'), PALETTE[GRAY]),
    'GIF, one transparent': (
        saved(COLORED, 'GIF', transparency=int(GRAY[0, 0])),
        np.where((GRAY[0, 0] == GRAY)[..., None], 255, PALETTE[GRAY])),
    'animated GIF': (
        saved(GRAY, 'GIF', save_all=True, append_images=[Image.fromarray(255 - GRAY)]),
        rgb_of(GRAY)),
    'WebP with alpha': (
        saved(WITH_ALPHA, 'WEBP', lossless=True, exact=True), on(WHITE, RGB, ALPHA)),
    'animated WebP': (
        saved(RGB, 'WEBP', save_all=True, lossless=True, append_images=[OTHER]), RGB),
    'BMP': (saved(RGB, 'BMP'), RGB),
    '1-bit BMP': (saved(Image.fromarray(ONE_BIT * 255).convert('1'), 'BMP'), rgb_of(ONE_BIT * 255)),
    'TGA with alpha': (saved(WITH_ALPHA, 'TGA'), on(WHITE, RGB, ALPHA)),
    'icon': (
        saved(Image.fromarray(ICON), 'ICO', sizes=[(16, 16)]),
        on(WHITE, ICON[..., :3], ICON[..., 3])),
    'PPM': (saved(RGB, 'PPM'), RGB),
    'PGM to 65535': (b'P5 7 5 65535\n' + _big(DEEP), rgb_of(ROUNDED)),
    'PGM to 1023': (b'P5 3 1 1023\n' + _big(np.array([0, 512, 1023])), rgb_of([[0, 128, 255]])),
    'lossless JPEG 2000': (saved(RGB, 'JPEG2000'), RGB),
    '16-bit JPEG 2000': (saved(DEEP.astype(np.uint16), 'JPEG2000'), rgb_of(ROUNDED)),
    'SGI': (saved(RGB, 'SGI'), RGB),
    'PCX': (saved(RGB, 'PCX'), RGB),
    'DDS with alpha': (saved(WITH_ALPHA, 'DDS'), on(WHITE, RGB, ALPHA)),
    'TIFF with pages': (saved(RGB, 'TIFF', save_all=True, append_images=[OTHER]), RGB),
    'RGBA TIFF': (saved(WITH_ALPHA, 'TIFF'), on(WHITE, RGB, ALPHA)),
    'CMYK TIFF': (saved(Image.fromarray(CMYK, 'CMYK'), 'TIFF'), _cmyk_to_rgb(CMYK)),
    '16-bit TIFF': (tiff('<', SIZE, DEEP.astype('<u2').tobytes(), {}), rgb_of(ROUNDED)),
    '16-bit TIFF, big-endian': (tiff('>', SIZE, _big(DEEP), {}), rgb_of(ROUNDED)),
    '16-bit TIFF, white is zero': (
        tiff('<', SIZE, DEEP.astype('<u2').tobytes(), {262: 0}), rgb_of(255 - ROUNDED)),
    '12-bit TIFF': (
        tiff('<', SIZE, _twelve_bits(TWELVE), {258: 12}), rgb_of((TWELVE * 510 + 4095) // 8190)),
    'JPEG named as a PNG': (saved(np.full((8, 8), 99, np.uint8), 'JPEG'), rgb_of([[99] * 8] * 8)),
    'MPO': (saved(np.full((8, 8), 9, np.uint8), 'MPO', save_all=True,
                  append_images=[Image.new('L', (8, 8), 200)]), rgb_of([[9] * 8] * 8)),
}  # fmt: skip
if 'QOI' in Image.SAVE:
    KINDS['QOI with alpha'] = saved(WITH_ALPHA, 'QOI'), on(WHITE, RGB, ALPHA)


@pytest.mark.parametrize('kind', KINDS)
def test_odd_images_have_the_right_pixels(tmp_path: Path, kind: str) -> None:
    content, right = KINDS[kind]
    np.testing.assert_array_equal(read(tmp_path / 'x.png', content), right)


NO_RANGE = {
    '32-bit': (
        tiff('<', (3, 2), NATIVE.tobytes(), {258: 32, 339: 2}),
        (0, 1000), [0, 0, 26, 255, 128, 255]),
    'unsigned 32-bit': (
        tiff('<', (3, 1), np.array([0, 2**31, 2**32 - 1], '<u4').tobytes(), {258: 32}),
        (0, 2**32 - 1), [0, 128, 255]),
    'signed 16-bit': (
        tiff('<', (3, 1), np.array([-9, 5, 10], '<i2').tobytes(), {339: 2}),
        (0, 10), [0, 128, 255]),
    'float': (saved(FLOATS, 'TIFF'), (0, 1), [0, 0, 64, 128, 255, 255]),
    'PFM': (b'Pf 3 1 -1.0\n' + FLOATS[0].tobytes(), (-1, 1), [0, 128, 159]),
}  # fmt: skip


@pytest.mark.parametrize('kind', NO_RANGE)
def test_odd_images_whose_range_only_the_user_knows(tmp_path: Path, kind: str) -> None:
    content, value_range, right = NO_RANGE[kind]
    with pytest.raises(BrokenImageError, match=r'unknown range.*value_range=\(black, white\)'):
        read(tmp_path / 'x.tif', content)
    pixels = read(tmp_path / 'x.tif', content, value_range=value_range)
    np.testing.assert_array_equal(pixels.reshape(-1, 3), rgb_of([right])[0])


def test_odd_images_with_12_bits_in_16(tmp_path: Path) -> None:
    content = tiff('<', (3, 1), np.array([0, 2047, 4095], '<u2').tobytes(), {})
    np.testing.assert_array_equal(read(tmp_path / 'x', content), rgb_of([[0, 8, 16]]))
    pixels = read(tmp_path / 'x', content, value_range=(0, 4095))
    np.testing.assert_array_equal(pixels, rgb_of([[0, 127, 255]]))


def test_odd_images_with_values_that_are_not_finite(tmp_path: Path) -> None:
    content = saved(np.array([[0, np.nan]], np.float32), 'TIFF')
    with pytest.raises(BrokenImageError, match='not finite'):
        read(tmp_path / 'x.tif', content, value_range=(0, 1))


def test_odd_images_that_pillow_cannot_match(tmp_path: Path) -> None:
    content = png(SIZE, 16, 2, _big(RGB.astype(int) * 257), (b'tRNS', _big(np.array([1, 2, 3]))))
    with pytest.raises(BrokenImageError, match='save the image with an alpha channel'):
        read(tmp_path / 'x.png', content)


@pytest.mark.parametrize('background', ['black', (10, 200, 30), [0, 0, 255], '#ff8000'])
def test_odd_images_on_another_background(tmp_path: Path, background: object) -> None:
    right = {'black': (0, 0, 0), '#ff8000': (255, 128, 0)}.get(str(background)) or background
    pixels = read(tmp_path / 'x.png', saved(WITH_ALPHA, 'PNG'), background=background)
    np.testing.assert_array_equal(pixels, on(tuple(right), RGB, ALPHA))


def test_odd_images_that_look_the_same_are_the_same(tmp_path: Path) -> None:
    """Also where the color below full transparency differs."""
    gray = rgb_of(GRAY)
    hidden = np.where(OPAQUE[..., None] == 0, 255 - gray, gray)
    pair = [Image.fromarray(GRAY), Image.fromarray(OPAQUE)]
    with_alpha = Image.fromarray(np.dstack([hidden, OPAQUE]))
    contents = [
        saved(np.dstack([gray, OPAQUE]), 'PNG'),
        saved(with_alpha, 'PNG'),
        saved(Image.merge('LA', pair), 'PNG'),
        saved(with_alpha, 'WEBP', lossless=True, exact=True),
        saved(with_alpha, 'TIFF'),
        saved(on(WHITE, gray, OPAQUE), 'BMP'),
    ]
    first, *others = [read(tmp_path / f'{i}.png', c) for i, c in enumerate(contents)]
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize('mode', ['La', 'RGBa', 'PA', 'RGBX', 'YCbCr', 'HSV', 'LAB', 'I;16B', '1'])
def test_odd_images_of_modes_that_few_files_have(mode: str) -> None:
    black = (0, 0, 0)
    if mode == 'La':
        source = Image.merge('LA', [Image.fromarray(GRAY), Image.fromarray(OPAQUE)])
        image, right = source.convert(mode), on(black, rgb_of(GRAY), OPAQUE)
    elif mode == 'PA':
        image = COLORED.convert(mode)
        image.putalpha(Image.fromarray(ALPHA))
        right = on(black, PALETTE[GRAY], ALPHA)
    elif mode == 'RGBa':
        image = Image.fromarray(np.dstack([RGB, OPAQUE])).convert(mode)
        right = on(black, RGB, OPAQUE)
    elif mode == 'RGBX':
        image, right = Image.fromarray(RGBA, 'RGBX'), RGB
    elif mode == 'I;16B':
        image, right = Image.frombytes(mode, SIZE, _big(DEEP)), rgb_of(ROUNDED)
    elif mode == '1':
        image, right = Image.fromarray(ONE_BIT * 255).convert('1'), rgb_of(ONE_BIT * 255)
    else:
        levels = np.array([[0, 255, 128 if mode == 'LAB' else 119]], np.uint8)
        right = rgb_of([[0, 255, 119]])
        rest = Image.new('L', (3, 1), 0 if mode == 'HSV' else 128)
        bands = [Image.fromarray(levels), rest, rest]
        image = Image.merge(mode, bands[::-1] if mode == 'HSV' else bands)
    pixels = np.asarray(to_rgb(image, black)).astype(int)
    # 128 of 255 in lightness is a gray of 119.
    assert abs(pixels - right).max() <= (1 if mode == 'LAB' else 0)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['PNG', 'WEBP', 'TIFF', 'JPEG'])
def test_odd_images_are_turned_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    shown = np.kron(RGB[:2, :3], np.ones((16, 16, 1), np.uint8))  # whole blocks of a JPEG
    options = dict(WEBP=dict(lossless=True), JPEG=dict(quality=100, subsampling=0)).get(kind, {})
    file = saved(stored(shown, orientation).copy(), kind, exif=exif(orientation), **options)
    pixels = read(tmp_path / 'x', file)
    assert pixels.shape == shown.shape
    assert abs(pixels.astype(int) - shown).max() <= (2 if kind == 'JPEG' else 0)


def test_odd_images_of_cmyk_jpegs(tmp_path: Path) -> None:
    """Adobe's inverted inks, which Pillow writes too."""
    cmyk = Image.new('CMYK', (8, 8), (200, 100, 0, 50))
    right = _cmyk_to_rgb(np.array([[[200, 100, 0, 50]]], np.uint8))
    pixels = read(tmp_path / 'x.jpg', saved(cmyk, 'JPEG', quality=100)).astype(int)
    assert abs(pixels - right).max() <= 2
