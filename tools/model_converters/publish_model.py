#!/usr/bin/env python
"""Strip a training checkpoint to the student's backbone, for others to load.

The keys are ``backbone.*``, as mmpretrain's, mmdet's and mmseg's
``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` expect
them; the first 8 digits of the file's SHA-256 go into its name.
"""

import argparse
import os
from collections.abc import Sequence

from mmrel.utils import load_checkpoint_file
from mmrel.utils.command_line import run_command
from mmrel.utils.publish import publish


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='a training checkpoint')
    parser.add_argument('dst', help='the file to write; the hash is put before its ending')
    args = parser.parse_args(argv)
    path = publish(load_checkpoint_file(args.src), args.dst)
    print(f'{path}: {os.path.getsize(path) / 2**20:.1f} MiB')


if __name__ == '__main__':
    run_command(main)
