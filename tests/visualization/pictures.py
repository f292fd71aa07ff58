"""Pictures that a test has drawn: their pixels, and what was drawn into them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image


def picture(path: Path) -> np.ndarray:
    """The pixels of a PNG, which must not be blank."""
    with Image.open(path) as image:
        assert image.format == 'PNG'
        pixels = np.asarray(image.convert('RGB'))
    colors = np.unique(pixels.reshape(-1, 3), axis=0)
    assert len(colors) > 10, 'the picture is blank'
    return pixels


def has_color(pixels: np.ndarray, rgb: str) -> bool:
    """Whether a pixel has exactly this color."""
    return bool((pixels == list(bytes.fromhex(rgb))).all(-1).any())


@contextmanager
def saved_figures() -> Iterator[list[Figure]]:
    """The figures that are saved inside, in order. Their files are empty: drawing takes long."""
    figures: list[Figure] = []

    def keep(figure: Figure, out: Path, **_: object) -> None:
        figures.append(figure)
        Path(out).touch()  # fails without its folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, 'savefig', keep)
        yield figures
