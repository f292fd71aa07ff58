#!/usr/bin/env python
"""torchrun for mmrel's commands: what went wrong in a rank is the last line of the screen."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def describe(error: ChildFailedError) -> str:
    """The first rank's failure, as the rank reported it or by its signal."""
    rank, failure = error.get_first_failure()
    if isinstance(failure.message, dict):  # of mmrel.utils.command_line
        return str(failure.message.get('message'))
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        return f'error: rank {rank} was ended by {name}'
    return f'error: rank {rank} ended with status {failure.exitcode}'


def main(argv: Sequence[str] | None = None) -> None:
    # The ranks leave it to this process to print an error, once.
    os.environ['MMREL_LAUNCHER'] = '1'
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run(parse_args(argv))
    except ChildFailedError as error:
        sys.stdout.flush()
        print(describe(error), file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except SignalException as error:
        print(f'ended by {signal.Signals(error.sigval).name}', file=sys.stderr, flush=True)
        raise SystemExit(128 + error.sigval) from None
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr, flush=True)
        raise SystemExit(130) from None


if __name__ == '__main__':
    main()
