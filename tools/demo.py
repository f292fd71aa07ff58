#!/usr/bin/env python
"""Train, evaluate and plot ReSSL on scikit-learn's digits, in a few minutes on 2 cores."""

import argparse
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmrel.utils.command_line import run_command
from mmrel.visualization import find_scalars, read_scalars

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/ressl/ressl_demo_digits.py'
# Trained on CIFAR-10 and shipped with mmrel. It has the same backbone as the demo.
SHIPPED = 'ressl-ext_resnet18-w16_1xb128-coslr-60e_cifar10'
LINEAR = ROOT / 'configs/ressl/benchmarks/ressl_resnet18-w16_1xb64-linear-coslr-20e_digits.py'


def run_step(console: Console, name: str, work_dir: Path, tool: str, *arguments: object) -> None:
    """Run a tool in ``work_dir`` and show its progress. Exit if it fails."""
    console.rule(name)
    command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=work_dir, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    last: deque[str] = deque(maxlen=40)
    # Show only the progress lines; the full log is in the work dir.
    for line in process.stdout:
        last.append(line)
        if 'Epoch(' in line:
            console.print(line[line.index('Epoch(') :].rstrip(), markup=False, soft_wrap=True)
    if process.wait() != 0:
        sys.stderr.writelines(last)
        sys.exit(f'demo: step {name!r} failed with exit status {process.returncode}')


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work-dir', default='work_dirs/demo', help='folder for all results')
    work_dir = Path(parser.parse_args(argv).work_dir).resolve()
    work_dir.mkdir(parents=True, exist_ok=True)
    pretrain, linear, pictures = (work_dir / name for name in ('pretrain', 'linear', 'pictures'))
    console = Console()
    start = time.monotonic()

    run_step(
        console, 'kNN evaluation of a shipped checkpoint', work_dir, 'test.py', CONFIG,
        f'mmrel://{SHIPPED}', '--work-dir', work_dir / 'shipped', '--out', 'shipped.json',
    )  # fmt: skip
    run_step(console, 'ReSSL pre-training', work_dir, 'train.py', CONFIG, '--work-dir', pretrain)
    # Relative to work_dir, where all steps run.
    checkpoint = f'pretrain/{Path((pretrain / "last_checkpoint").read_text().strip()).name}'
    run_step(
        console, 'linear evaluation', work_dir, 'train.py', LINEAR, '--work-dir', linear,
        '--cfg-options', f'model.backbone.init_cfg.checkpoint={checkpoint}',
    )  # fmt: skip
    run_step(
        console, 'figures', work_dir, 'visualize.py', CONFIG, checkpoint,
        '--work-dir', pretrain, '--out', pictures,
    )  # fmt: skip

    shipped = json.loads((work_dir / 'shipped.json').read_text())['knn200/top1']
    knn = [line['knn200/top1'] for line in read_scalars(*find_scalars(pretrain)).val]
    accuracy = read_scalars(*find_scalars(linear)).val[-1]['accuracy/top1']
    table = Table('test accuracy on digits', 'top-1 (%)')
    table.add_row('kNN (k = 200), shipped checkpoint (CIFAR-10)', f'{shipped:.1f}')
    table.add_row('kNN (k = 200), untrained', f'{knn[0]:.1f}')
    table.add_row('kNN (k = 200), after ReSSL', f'{knn[-1]:.1f}')
    table.add_row('linear, after ReSSL', f'{accuracy:.1f}')
    console.rule(f'done in {time.monotonic() - start:.0f} s')
    console.print(table)
    for name in ('curves', 'neighbors', 'tsne'):
        console.print(str(pictures / f'{name}.png'), markup=False, soft_wrap=True)


if __name__ == '__main__':
    run_command(main)
