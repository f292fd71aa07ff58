#!/usr/bin/env python
"""torchrun for mmrel's commands, with a rank's error as the last line of the output."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def describe(error: ChildFailedError) -> str:
    """Describe the first rank that failed: its own report, else its signal or status."""
    rank, failure = error.get_first_failure()
    if isinstance(failure.message, dict):  # from mmrel.utils.command_line
        return str(failure.message.get('message'))
    number = -failure.exitcode if failure.exitcode < 0 else failure.exitcode - 128
    if number in list(signal.Signals):
        return f'error: rank {rank} was terminated by {signal.Signals(number).name}'
    return f'error: rank {rank} exited with status {failure.exitcode}'


def main(argv: Sequence[str] | None = None) -> None:
    # Ranks then leave printing to this process, which prints an error once.
    os.environ['MMREL_LAUNCHER'] = '1'
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run(parse_args(argv))
    except ChildFailedError as error:
        sys.stdout.flush()
        print(describe(error), file=sys.stderr, flush=True)
        # For example 143 if a signal ended the ranks after they saved.
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
