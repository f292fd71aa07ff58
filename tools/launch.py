#!/usr/bin/env python
"""torchrun for mmrel's commands: a rank's error is the last line of the screen."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def describe(error: ChildFailedError) -> str:
    """The first failure of a rank: its own report, or its signal or status."""
    rank, failure = error.get_first_failure()
    if isinstance(failure.message, dict):  # of mmrel.utils.command_line
        return str(failure.message.get('message'))
    number = -failure.exitcode if failure.exitcode < 0 else failure.exitcode - 128
    if number in list(signal.Signals):
        return f'error: rank {rank} was ended by {signal.Signals(number).name}'
    return f'error: rank {rank} ended with status {failure.exitcode}'


def main(argv: Sequence[str] | None = None) -> None:
    # This process prints an error once for all ranks.
    os.environ['MMREL_LAUNCHER'] = '1'
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run(parse_args(argv))
    except ChildFailedError as error:
        sys.stdout.flush()
        print(describe(error), file=sys.stderr, flush=True)
        # Such as 143: a signal ended the ranks, which had time to save.
        raise SystemExit(max(error.get_first_failure()[1].exitcode, 1)) from None
    except SignalException as error:
        by_user = error.sigval == signal.SIGINT
        name = signal.Signals(error.sigval).name
        print('interrupted' if by_user else f'ended by {name}', file=sys.stderr, flush=True)
        raise SystemExit(128 + error.sigval) from None
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr, flush=True)
        raise SystemExit(130) from None


if __name__ == '__main__':
    main()
