#!/usr/bin/env python
"""Convert a checkpoint released by the authors to mmrel's format."""

import argparse
from collections.abc import Sequence

from mmrel.converters import METHODS, convert_checkpoint
from mmrel.utils import load_checkpoint_file
from mmrel.utils.command_line import run_command
from mmrel.utils.files import save_atomically


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('method', choices=METHODS, help='method of the release')
    parser.add_argument('src', help="the authors' checkpoint")
    parser.add_argument('dst', help='output file')
    args = parser.parse_args(argv)
    converted = convert_checkpoint(args.method, load_checkpoint_file(args.src))
    save_atomically(converted, args.dst)
    print(f'{args.dst}: {len(converted["state_dict"])} entries')


if __name__ == '__main__':
    run_command(main)
