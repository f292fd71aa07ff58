#!/usr/bin/env python
"""Publish the backbone of a training checkpoint for use in other libraries.

    python tools/model_converters/publish_model.py work_dirs/x/epoch_100.pth x.pth --for mmseg

Prints code that loads the file strictly. The keys start with ``backbone.``; for torchvision
and timm (ResNets only) they have no prefix. The first 8 digits of the file's SHA-256 are
added to its name. ``meta['network']`` holds the backbone's config, mean, std and the image
size in evaluation.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import init_default_scope

from mmrel.apis.config import load_config
from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from mmrel.utils.command_line import run_command
from mmrel.utils.network_record import network_record, read_record
from mmrel.utils.publish import TARGETS, publish
from mmrel.utils.publish_snippets import snippet
from mmrel.utils.state_dict import compare_state_dict, weights_of


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='a training checkpoint')
    parser.add_argument('dst', help='output file; the hash is added before the extension')
    parser.add_argument(
        '--for',
        dest='target',
        choices=TARGETS,
        default='mmrel',
        help='library that loads the file (default: mmrel)',
    )
    parser.add_argument('--teacher', action='store_true', help="publish the teacher's backbone")
    parser.add_argument(
        '--config', help='config of the training, for checkpoints of mmrel before 0.2'
    )
    parser.add_argument('--results', help='JSON file of scores to store (tools/test.py --out)')
    return parser.parse_args(argv)


def _record(config: str, content: Mapping[str, Any], teacher: bool) -> dict[str, Any]:
    """The record of a config. Its backbone must match the checkpoint's."""
    init_default_scope('mmrel')
    record = network_record(load_config(config))
    if 'backbone' in record and not record['supernet']:
        prefix = 'teacher.backbone.' if teacher else 'backbone.'
        state = weights_of(content, 'the checkpoint')
        given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        difference = compare_state_dict(MODELS.build(record['backbone']).state_dict(), given)
        if given and difference:
            raise ValueError(
                difference.describe(
                    f"the backbone of --config {config} differs from the checkpoint's"
                )
            )
    return record


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    content = load_checkpoint_file(args.src)
    network = _record(args.config, content, args.teacher) if args.config else None
    results = None
    if args.results:
        with open(args.results) as file:
            results = json.load(file)
    path = publish(content, args.dst, args.target, args.teacher, network, results)
    print(f'{path}: {os.path.getsize(path) / 2**20:.1f} MiB\n')
    known = network or read_record(content.get('meta'))
    if not known:
        print('# The checkpoint has no record of its network: give --config.')
    print(snippet(path, args.target, known, weights_of(load_checkpoint_file(path), path)), end='')


if __name__ == '__main__':
    run_command(main)
