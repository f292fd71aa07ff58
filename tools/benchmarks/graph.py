#!/usr/bin/env python
"""Compare WCL's weak labels and graph head with the similarity products alone.

The lower bound is one plain product per view, (B, D) x (D, B), of its embeddings
with themselves. It is compared with the weak labels of both views, and with the
forward and backward pass of the whole head. They alternate on the same random unit
vectors, so that changes of the machine's speed affect all of them. The ratios of the
medians are reported, and the growth exponent of the head's time from one batch size
to the next (2.00 is quadratic).
"""

import argparse
import math
import statistics
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from step import timed

from mmrel.models.heads import WeakLabelContrastHead, weak_labels
from mmrel.utils.command_line import run_command


def measure(batch: int, dim: int, steps: int, device: str) -> dict[str, float]:
    torch.manual_seed(0)
    views = F.normalize(torch.randn(2, batch, dim, device=device), dim=-1)
    rows = views.clone().requires_grad_()
    head = WeakLabelContrastHead()

    def products() -> None:
        for view in views:
            view @ view.T

    def labels() -> None:
        for view in views:
            weak_labels(view, view)

    def whole_head() -> None:
        loss, _ = head(rows)
        torch.autograd.grad(loss, rows)

    tasks = dict(products=products, labels=labels, head=whole_head)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(steps + 3):
        for name, task in tasks.items():
            seconds = timed(task, device)
            if i >= 3:  # the first steps choose kernels and allocate memory
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--batches', nargs='+', type=int, default=[256, 1024, 4096])
    parser.add_argument('--dim', type=int, default=256, help='embedding dimension')
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args(argv)
    print(f'{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}')
    print('batch  products ms  labels ms  head ms  labels/products  head/products  growth of head')
    before = None
    for batch in args.batches:
        found = measure(batch, args.dim, args.steps, args.device)
        growth = ''
        if before is not None:
            rise = found['head'] / before[1]
            growth = f'{math.log(rise) / math.log(batch / before[0]):.2f}'
        before = batch, found['head']
        print(
            f'{batch:5d} {found["products"] * 1e3:12.2f} {found["labels"] * 1e3:10.2f} '
            f'{found["head"] * 1e3:8.2f} {found["labels"] / found["products"]:16.2f} '
            f'{found["head"] / found["products"]:14.2f} {growth:>15s}',
            flush=True,
        )


if __name__ == '__main__':
    run_command(main)
