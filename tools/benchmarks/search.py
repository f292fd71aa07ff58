#!/usr/bin/env python
"""Measure how fast a search computes costs and scores paths.

Costs are computed for a whole population at once, on one core. Scoring is compared with
a lower bound ("floor"): only the forward pass of the same subnets as plain stand-alone
networks, on the same tensors in memory and with the weights that the supernet slices for
them. There is one network for each side on which the supernet runs a path. The two
alternate, path by path; the ratio is that of the summed medians.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement
from step import timed
from torch import Tensor, nn

from mmrel.apis import load_config
from mmrel.registry import MODELS, SEARCH_COSTS
from mmrel.search.held_out import HeldOutImages, path_accuracy
from mmrel.spaces import SearchSpace
from mmrel.utils.command_line import run_command

_DEFAULT = 'configs/vitas/vitas_supernet_small_imagefolder32.py'


class _InMemory:
    """Random images, with the interface of a loader."""

    def __init__(self, images: int, batch: int, px: int, classes: int) -> None:
        self.dataset = range(images)
        self.batches = []
        for start in range(0, images, batch):
            size = min(batch, images - start)
            labels = torch.randint(0, classes, (size,))
            self.batches.append(
                dict(
                    inputs=torch.randint(0, 256, (size, 3, px, px), dtype=torch.uint8),
                    data_samples=[BaseDataElement(gt_label=y[None]) for y in labels],
                )
            )

    def __iter__(self) -> Iterator[dict]:
        return iter(self.batches)


def costed_per_second(space: SearchSpace, cost: dict, population: int) -> float:
    function = SEARCH_COSTS.build(cost)
    rows = space.sample_indices(population, np.random.default_rng(0))
    times = [timed(lambda: function(space, rows), 'cpu') for _ in range(8)]
    return population / statistics.median(times[1:])


def stand_alone(model: nn.Module, path: dict, side: str, device: str) -> nn.Module:
    network = MODELS.build(model.space.subnet(path))
    network.load_state_dict(model.subnet_state_dict(path, side))
    return network.to(device).eval()


@torch.inference_mode()
def forward_only(networks: list[nn.Module], batches: list[Tensor], autocast: bool) -> None:
    for inputs in batches:
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=autocast):
            for network in networks:
                network(inputs)


def measure(model: nn.Module, args: argparse.Namespace) -> SimpleNamespace:
    space, device = model.space, args.device
    loader = _InMemory(args.images, args.batch, args.px, args.classes)
    images = HeldOutImages(loader, cache=True)
    batches = [
        model.data_preprocessor(dict(inputs=x), False)['inputs'].to(device) for x, _ in images
    ]
    paths = space.paths(space.sample_indices(args.paths, np.random.default_rng(0)))
    ours, floor = 0.0, 0.0
    for path in paths:
        sides = len(model.path_logits(batches[0][:1], path))
        networks = [stand_alone(model, path, side, device) for side in ('left', 'right')[:sides]]
        score = partial(path_accuracy, model, path, images, args.bf16)
        forward = partial(forward_only, networks, batches, args.bf16)
        rounds = range(args.repeats + 1)
        # The first round chooses kernels and allocates memory.
        pairs = [(timed(score, device), timed(forward, device)) for _ in rounds][1:]
        ours += statistics.median(pair[0] for pair in pairs)
        floor += statistics.median(pair[1] for pair in pairs)
    return SimpleNamespace(
        scored=len(paths) / ours, floor=len(paths) / floor, ratio=ours / floor, paths=len(paths)
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', nargs='?', default=_DEFAULT, help=f'config of a supernet (default: {_DEFAULT})'
    )
    parser.add_argument('--cost', default='FLOPsCost', help='type of the cost (default: FLOPsCost)')
    parser.add_argument(
        '--population', type=int, default=10_000, help='paths whose costs are computed at once'
    )
    parser.add_argument('--paths', type=int, default=8, help='paths to score')
    parser.add_argument('--images', type=int, default=512)
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--px', type=int, default=32, help='height and width of the images')
    parser.add_argument('--classes', type=int, default=10)
    parser.add_argument('--repeats', type=int, default=5, help='timed runs of each path')
    parser.add_argument('--bf16', action='store_true')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args(argv)
    cfg = load_config(args.config)
    init_default_scope('mmrel')
    torch.manual_seed(0)
    model = dict(cfg.model)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = MODELS.build(model).to(args.device).eval()
    print(f'{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    costed = costed_per_second(model.space, dict(type=args.cost), args.population)
    torch.set_num_threads(threads)
    print(f'{args.cost}: {costed:,.0f} path costs per second, {args.population:,} at once')
    found = measure(model, args)
    print(
        f'{found.paths} paths on {args.images} images: {found.scored:.2f} scored per second, floor '
        f'{found.floor:.2f}, ratio {found.ratio:.3f}'
    )


if __name__ == '__main__':
    run_command(main)
