#!/usr/bin/env python
"""Compare the data pipeline with torchvision on Pillow and with decoding alone, on one core.

A sample is an image's views: a weak one and one or five contrastive ones of 224 px, from
500-px JPEGs, or a weak and a contrastive one of 32 px. Every variant makes a batch of the
same images, in turn, so that changes of the machine's speed affect all of them. The time is
the CPU time of this process; the median of the rounds is reported. mmrel's variants are the
configs' pipelines, read through their datasets.
"""

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms as tv
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from PIL import Image, ImageFilter

from mmrel.apis.view_color import apply_view_color
from mmrel.datasets import SampleIndex
from mmrel.datasets.image_formats import image_extensions
from mmrel.registry import DATASETS
from mmrel.utils.command_line import run_command
from mmrel.utils.package import package_root

# The config whose train_pipeline is measured, and the images that it reads.
SETTINGS = {
    '224px': ('_base_/datasets/in1k_two_views.py', 'large'),
    '224px-5crops': ('ressl/ressl_resnet50_8xb32-mcrop5-coslr-200e_in1k.py', 'large'),
    '32px': ('_base_/datasets/two_views_32px.py', 'small'),
}
Variant = Callable[[Sequence[int]], object]


def make_images(folder: Path, size: tuple[int, int], number: int) -> None:
    """Write JPEGs that are parts of the two photographs that scikit-learn ships."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    draw = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(number):
        photo = photos[i % 2]
        height = draw.integers(photo.height // 2, photo.height)
        width = min(photo.width, int(height * size[0] / size[1]))
        left, top = draw.integers(photo.width - width + 1), draw.integers(photo.height - height + 1)
        part = photo.crop((left, top, left + width, top + height)).resize(size)
        part.save(folder / f'{i:04}.jpg', quality=90)


def blurred(image: Image.Image, sigma: Sequence[float] = (0.1, 2.0)) -> Image.Image:
    """The blur of lightly and of MoCo's code."""
    return image.filter(ImageFilter.GaussianBlur(torch.empty(()).uniform_(*sigma).item()))


def torchvision_view(step: dict) -> Callable[[Image.Image], torch.Tensor]:
    """A view's config as the transforms that one would write with torchvision."""
    crop = tv.RandomResizedCrop(step['size'], step.get('scale', (0.2, 1.0)))
    colors: list = []
    if step['type'] == 'ContrastiveView':
        colors = [
            tv.RandomApply([tv.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            tv.RandomGrayscale(0.2),
            tv.RandomApply([blurred], step.get('blur_prob', 0.5)),
        ]
        colors = colors[: 2 if step.get('blur_prob') == 0 else 3]
    return tv.Compose([crop, *colors, tv.RandomHorizontalFlip(), tv.PILToTensor()])


def colored(pipeline: list[dict], color: str) -> list[dict]:
    """The pipeline of a run with this `view_color`."""
    cfg = Config(dict(train_dataloader=dict(pipeline=copy.deepcopy(pipeline)), view_color=color))
    apply_view_color(cfg)
    return cfg.train_dataloader.pipeline


def variants(pipeline: list[dict], files: list[str], small: bool) -> dict[str, Variant]:
    """What is compared, by name: functions that make a batch of the files with given numbers."""
    folder = os.path.dirname(files[0])
    multi = pipeline[1]
    views = [
        torchvision_view(steps[0])
        for number, steps in zip(multi['num_views'], multi['transforms'], strict=True)
        for _ in range(number)
    ]

    def mmrel(cache: bool, color: str = 'host') -> Variant:
        cfg = dict(type='ImageFolder', data_root=folder, with_label=False, cache=cache)
        dataset = DATASETS.build(dict(cfg, pipeline=colored(pipeline, color)))
        fetch = getattr(dataset, '__getitems__', lambda rows: [dataset[row] for row in rows])
        return lambda rows: default_collate(fetch([SampleIndex(row, 0, 0) for row in rows]))

    def torchvision_pillow(rows: Sequence[int]) -> object:
        images = [Image.open(files[row]).convert('RGB') for row in rows]
        return default_collate([[view(image) for view in views] for image in images])

    def decoding(rows: Sequence[int]) -> object:
        return [Image.open(files[row]).convert('RGB') for row in rows]

    found: dict[str, Variant] = {
        'torchvision on Pillow': torchvision_pillow,
        'mmrel': mmrel(cache=False),
    }
    if small:
        found['mmrel with the cache'] = mmrel(cache=True)
    else:
        found['mmrel, device colors'] = mmrel(cache=False, color='device')
    return dict(found, **{'decoding alone': decoding})


def measure(
    tasks: dict[str, Variant], number: int, batch: int, rounds: int
) -> dict[str, list[float]]:
    """Samples per second of CPU time, of each variant in each round."""
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(rounds + 1):
        seconds = dict.fromkeys(tasks, 0.0)
        for start in range(0, number, batch):
            for name, task in tasks.items():
                begin = time.process_time()
                task(range(start, min(start + batch, number)))
                seconds[name] += time.process_time() - begin
        if i:  # the first round reads the files and fills the cache
            for name, spent in seconds.items():
                rates[name].append(number / spent)
    return rates


def report(setting: str, rates: dict[str, list[float]]) -> dict[str, dict]:
    """Print the medians and their ratios."""
    found = {name: statistics.median(values) for name, values in rates.items()}
    pillow, decoding = found['torchvision on Pillow'], found['decoding alone']
    for name, rate in found.items():
        print(
            f'{setting:13s} {name:22s} {rate:9.1f} {rate / pillow:14.2f} {rate / decoding:12.2f}',
            flush=True,
        )
    return {name: dict(rates=rates[name], median=rate) for name, rate in found.items()}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', help='folder of photographs (default: made, 500 x 375)')
    parser.add_argument('--small-images', help='folder of small images (default: made, 32 x 32)')
    parser.add_argument('--number', type=int, default=64, help='large images (default: 64)')
    parser.add_argument('--small-number', type=int, default=1024, help='small images (1,024)')
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default: 5)')
    parser.add_argument('--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument('--out', help='write the rates to this JSON file')
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    init_default_scope('mmrel')
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ['MMREL_HOME'] = scratch  # the cache of this run only
        print('setting       variant                samples/s  x torchvision  x decoding')
        for setting in args.settings:
            config, kind = SETTINGS[setting]
            small = kind == 'small'
            given, most, batch = (
                (args.small_images, args.small_number, 256)
                if small
                else (args.images, args.number, 8)
            )
            folder = Path(scratch, 'chosen', setting)
            if given is None:
                make_images(folder, (32, 32) if small else (500, 375), most)
            else:
                link_images(Path(given), folder, most)
            files = sorted(map(str, folder.iterdir()))
            pipeline = Config.fromfile(package_root() / 'configs' / config).train_pipeline
            rates = measure(variants(pipeline, files, small), len(files), batch, args.rounds)
            results[setting] = report(setting, rates)
    if args.out:
        Path(args.out).write_text(json.dumps(results, indent=1))


def link_images(source: Path, folder: Path, most: int) -> None:
    """Links to evenly spaced images of a folder tree."""
    names = image_extensions()
    found = sorted(path for path in source.rglob('*') if path.suffix.lower() in names)
    if not found:
        raise ValueError(f'no images in folder {str(source)!r}')
    folder.mkdir(parents=True)
    for i, path in enumerate(found[:: max(1, len(found) // most)][:most]):
        (folder / f'{i:04}{path.suffix}').symlink_to(path.resolve())


if __name__ == '__main__':
    run_command(main)
