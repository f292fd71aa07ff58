"""Small folders in the layouts of CamVid and BCCD."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def make_camvid(root: Path, each: int = 4) -> None:
    """Images with blocks of color, and labels 0 to 11, the last one not scored."""
    draw = np.random.default_rng(0)
    for part in ('train', 'val'):
        for kind in ('images', 'annotations'):
            (root / kind / part).mkdir(parents=True)
        for i in range(each):
            labels = np.kron(draw.integers(0, 12, (9, 12)), np.ones((10, 10))).astype(np.uint8)
            image = np.stack([labels * 20, 255 - labels * 20, labels * 10], -1).astype(np.uint8)
            Image.fromarray(image).save(root / 'images' / part / f'{i}.jpg')
            Image.fromarray(labels).save(root / 'annotations' / part / f'{i}.png')


def make_bccd(root: Path, each: int = 4) -> None:
    """Dark images with a bright box each, in COCO's format."""
    draw = np.random.default_rng(0)
    (root / 'annotations').mkdir(parents=True)
    names = ('RBC', 'WBC', 'Platelets')
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(names)]
    for part in ('train', 'val'):
        (root / part).mkdir()
        images, annotations = [], []
        for i in range(each):
            x, y, w, h = (int(n) for n in draw.integers(20, 40, 4))
            pixels = draw.integers(0, 60, (96, 128, 3)).astype(np.uint8)
            pixels[y : y + h, x : x + w] += 150
            Image.fromarray(pixels).save(root / part / f'{i}.jpg')
            images.append(dict(id=i, file_name=f'{i}.jpg', width=128, height=96))
            box = dict(bbox=[x, y, w, h], area=w * h, iscrowd=0)
            annotations.append(dict(id=i, image_id=i, category_id=i % 3 + 1, **box))
        content = dict(images=images, annotations=annotations, categories=categories)
        (root / 'annotations' / f'{part}.json').write_text(json.dumps(content))
