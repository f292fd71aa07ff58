"""Describe an error in one or two actionable lines."""

import errno
import os
import re
import traceback

import torch

# Errors caused by the user's input rather than by a bug.
_SPEAKING = (ValueError, KeyError, OSError, RuntimeError, TypeError, ImportError)
_IN_WORKER = re.compile(r'^Caught \w+ in .*?\.\nOriginal Traceback', re.DOTALL)
_RAISED = re.compile(r'^((?:\w+\.)*[A-Z]\w*)(?:: |$)', re.MULTILINE)
_CHAINED = re.compile(r'^(?:class `[^`]*` in [^:\s]*: )+')
_LENGTH = 600


def _from_worker(text: str) -> tuple[str, str]:
    """Class and message of an error that contains a worker's full traceback."""
    frames = text[text.rindex('\n  File ') :] if '\n  File ' in text else text
    match = _RAISED.search(frames)
    if match is None:
        return '', text
    return match.group(1), frames[match.end() :].strip()


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f' ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})' if frames else ''


def is_unexpected(error: BaseException) -> bool:
    """Whether an error looks like a bug rather than bad input."""
    if isinstance(error, KeyError):
        return ' ' not in str(error.args[0] if error.args else '')
    if isinstance(error, NotImplementedError | RecursionError | MemoryError):
        return isinstance(error, RecursionError)
    return not isinstance(error, _SPEAKING) or not str(error).strip()


def error_message(error: BaseException) -> str:
    """Describe an error without its traceback.

    Args:
        error (BaseException): Any error. For one from a DataLoader worker, the
            original error is described.

    Returns:
        str: At most two lines.
    """
    name = type(error).__name__
    # str() of a KeyError is its message in quotes.
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    unexpected = is_unexpected(error)
    if _IN_WORKER.match(text):
        name, text = _from_worker(text)
        if name == 'KeyError' and text[:1] in '\'"':
            text = text[1:-1]
        unexpected = name.endswith(('AttributeError', 'AssertionError', 'NameError'))
    elif isinstance(error, OSError) and error.strerror and error.errno is not None:
        files = [repr(str(f)) for f in (error.filename, error.filename2) if f is not None]
        hint = ': free disk space and restart with --resume' if error.errno == errno.ENOSPC else ''
        text = ': '.join([error.strerror, *files]) + hint
    elif isinstance(error, torch.OutOfMemoryError):
        text = f'{text.splitlines()[0]}; lower train_dataloader.batch_size'
    elif isinstance(error, MemoryError):
        text = f'out of memory{": " if text else ""}{text}; lower the batch size or num_workers'
    text = _CHAINED.sub('', text)
    if unexpected or not text.strip():
        text = f'{name}: {text}'.rstrip(': ') + _place(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 2:
        lines = [lines[0], f'{lines[1]} ...']
    return '\n'.join(line if len(line) <= _LENGTH else f'{line[:_LENGTH]} ...' for line in lines)
