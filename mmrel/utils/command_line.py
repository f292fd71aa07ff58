"""Code shared by the commands: parsing options and reporting errors."""

import argparse
import contextlib
import hashlib
import json
import logging
import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from mmengine.logging import MMLogger

from mmrel.utils.errors import error_message, is_unexpected
from mmrel.utils.files import write_atomically
from mmrel.utils.option_values import TypedText
from mmrel.utils.safe_loading import use_safe_loading

_VALUES = (
    '. A value is a Python literal (3, None, "[1, 2]", "[dict(type=...)]") or a string, kept '
    'exactly as typed; 1,2 and [a,b] are lists. A key that nothing reads is rejected'
)


class ConfigOptions(argparse.Action):
    """``--cfg-options a.b=value ...``: config overrides, by dotted keys.

    Returns a dict of :class:`.TypedText`. :func:`mmrel.apis.config.merge_options`
    converts them to values. Several ``--cfg-options`` are combined.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs['help'] = (kwargs.get('help') or 'config overrides, as a.b=value') + _VALUES
        super().__init__(*args, **kwargs)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the words of one ``--cfg-options``.

        Raises:
            argparse.ArgumentError: If a word is not KEY=VALUE.
        """
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values or []:
            key, equals, text = word.partition('=')
            if not equals or not key.strip('.'):
                raise argparse.ArgumentError(
                    self, f'{word!r} is not KEY=VALUE; quote values that contain spaces'
                )
            options.pop(key, None)  # the last value of a key counts, at the last position
            options[key] = TypedText(text)
        setattr(namespace, self.dest, options)


def _log_files() -> list[logging.FileHandler]:
    """The log files of the latest run."""
    if not MMLogger._instance_dict:
        return []
    handlers = MMLogger.get_current_instance().handlers
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]


def _tell_launcher(message: str, text: str) -> bool:
    """Pass a rank's report to torchrun. Returns whether another rank reported the same error."""
    file = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not file:
        return False
    report = dict(message=text, extraInfo=dict(py_callstack=text, timestamp=str(int(time.time()))))
    digest = hashlib.sha256(message.encode(errors='replace')).hexdigest()[:16]
    # torchrun removes the folder with the ranks' files at the end.
    marker = os.path.join(os.path.dirname(os.path.dirname(file)), f'reported-{digest}')
    try:
        write_atomically(json.dumps(dict(message=report)).encode(), file)
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    except OSError:
        return False
    return False


def _to_log_files(trace: str) -> str | None:
    """Write a traceback to the run's log. Returns the file's name."""
    record = logging.makeLogRecord(
        dict(name='mmrel', levelno=logging.INFO, levelname='INFO', msg=trace.rstrip())
    )
    for handler in _log_files():
        if handler.stream is None:  # closed
            continue
        # handle() would print its own traceback if the disk is full.
        with contextlib.suppress(OSError, ValueError):
            handler.stream.write(handler.format(record) + '\n')
            handler.stream.flush()
            return handler.baseFilename
    return None


def _report(error: BaseException) -> None:
    """Print an error as the last lines on the screen. Its traceback goes to the log."""
    trace = ''.join(traceback.format_exception(error))
    log = _to_log_files(trace)
    shown = bool(os.environ.get('MMREL_TRACEBACK'))
    rank = int(os.environ.get('RANK', 0))
    message = error_message(error)
    text = f'error: {f"rank {rank}: " if rank else ""}{message}'
    if log is not None:
        details = f'\ndetails: {log}'
    elif is_unexpected(error) and not shown:
        details = '\ndetails: run it again with MMREL_TRACEBACK=1'
    else:
        details = ''
    if shown:
        print(trace, file=sys.stderr, flush=True)
    told = _tell_launcher(message, text + details)
    # tools/launch.py prints the report when all ranks have ended.
    if not told and not os.environ.get('MMREL_LAUNCHER'):
        print(text + details, file=sys.stderr, flush=True)


def _reader_is_gone() -> bool:
    """Whether the reader of standard output has exited, as after ``| head``."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def _leave(status: int) -> NoReturn:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    raise SystemExit(status)


def run_command(main: Callable[[], None]) -> None:
    """Run a command's ``main`` and exit on errors.

    An error prints at most three lines: ``error: ...`` and where its traceback
    is. The traceback is in the run's log file, and also on the screen if the
    environment variable ``MMREL_TRACEBACK=1`` is set.

    Args:
        main (Callable): The command. It reads ``sys.argv``.

    Raises:
        SystemExit: With status 1 after an error, 130 after Ctrl-C.
    """
    use_safe_loading()
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        if not os.environ.get('MMREL_LAUNCHER'):  # it prints this once for all ranks
            print('interrupted', file=sys.stderr, flush=True)
        _leave(130)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            # Python would fail again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(1)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        _report(error)
        _leave(1)
