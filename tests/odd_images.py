"""Image files written by hand, as no library writes them, and how they are read."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmrel.datasets import LoadImage

WHITE = (255, 255, 255)
DRAW = np.random.default_rng(0)
RGB = DRAW.integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = np.resize(np.array([0, 1, 64, 127, 128, 200, 254, 255], np.uint8), (5, 7))
RGBA = np.dstack([RGB, ALPHA])
GRAY = RGB[..., 0]
# Around the places where round(v / 257) changes, and all of the range.
DEEP = np.resize(np.array([0, 128, 129, 256, 257, 385, 386, 40000, 65406, 65407, 65535]), (5, 7))
ROUNDED = (DEEP + 128) // 257  # round(v / 257); there are no ties, 257 is odd
FLOATS = np.array([[-1.0, 0.0, 0.25], [0.5, 1.0, 7.0]], np.float32)


def read(path: Path, content: bytes, **settings: Any) -> np.ndarray:
    """The pixels of a file's content, as the pipelines read them."""
    path.write_bytes(content)
    image = LoadImage(**settings).transform(dict(img_path=str(path)))['img']
    assert image.mode == 'RGB'
    return np.asarray(image)


def saved(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    """An image as a file of Pillow's."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(
    size: tuple[int, int], depth: int, color: int, rows: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    """A PNG of unfiltered rows; ``size`` is (width, height)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(name + content))
        return struct.pack('>I', len(content)) + name + content + check

    stride = len(rows) // size[1] if rows else 0
    lines = b''.join(b'\0' + rows[i : i + stride] for i in range(0, len(rows), stride or 1))
    head = struct.pack('>IIBBBBB', *size, depth, color, 0, 0, 0)
    parts = [(b'IHDR', head), *chunks, (b'IDAT', zlib.compress(lines)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunk(*part) for part in parts)


def tiff(order: str, size: tuple[int, int], pixels: bytes, tags: dict[int, int]) -> bytes:
    """A TIFF of one strip; ``order`` is '<' or '>', ``size`` is (width, height)."""
    width, height = size
    full = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 277: 1, 278: height}
    full.update(tags)
    full[279] = len(pixels)
    full[273] = 8 + 2 + 12 * (len(full) + 1) + 4
    body = struct.pack(f'{order}H', len(full))
    for tag, value in sorted(full.items()):
        body += struct.pack(f'{order}HHII', tag, 4, 1, value)
    head = (b'II' if order == '<' else b'MM') + struct.pack(f'{order}HI', 42, 8)
    return head + body + struct.pack(f'{order}I', 0) + pixels


def on(background: tuple[int, int, int], rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Exact compositing: round((c a + b (255 - a)) / 255)."""
    rgb, alpha = rgb.astype(int), alpha.astype(int)[..., None]
    total = rgb * alpha + np.array(background) * (255 - alpha)
    return ((2 * total + 255) // 510).astype(np.uint8)


def rgb_of(gray: np.ndarray) -> np.ndarray:
    """(H, W) gray as (H, W, 3)."""
    return np.repeat(np.asarray(gray).astype(np.uint8)[..., None], 3, axis=-1)


def stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """The array to store so that, turned by its EXIF orientation, ``shown`` appears."""
    transposed = shown.swapaxes(0, 1)
    return {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: transposed,
        6: np.rot90(shown, 1),
        7: transposed[::-1, ::-1],
        8: np.rot90(shown, -1),
    }[orientation]


def exif(orientation: int) -> bytes:
    """An EXIF block with an orientation."""
    block = Image.Exif()
    block[274] = orientation
    return block.tobytes()
