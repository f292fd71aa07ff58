"""Image folders made for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_folder(root: Path, classes: int = 3, each: int = 8, px: int = 32) -> Path:
    """Write random JPEGs, one sub-folder a class, each class with a color of its own."""
    draw = np.random.default_rng(0)
    for c in range(classes):
        (root / f'class{c}').mkdir(parents=True)
        for i in range(each):
            noise = draw.integers(0, 120, (px, px, 3))
            noise[..., c % 3] += 120
            Image.fromarray(noise.astype(np.uint8)).save(root / f'class{c}' / f'{i:03}.jpg')
    return root
