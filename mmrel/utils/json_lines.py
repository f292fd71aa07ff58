"""Files with one JSON object per line."""

import json
import os
from collections.abc import Iterable, Mapping
from os import PathLike

from .files import write_atomically


def read_rows(file: str | PathLike, half_line: bool = False) -> list[dict]:
    """Read a file with one dict per line.

    Args:
        file (str | PathLike): The file.
        half_line (bool): Whether to ignore an incomplete last line, as left by a
            killed process. Defaults to False.

    Returns:
        list[dict]: The lines.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line is not a JSON object. The message has its number.
    """
    file = os.fspath(file)
    if not os.path.isfile(file):
        raise FileNotFoundError(f'the file {file!r} does not exist')
    try:
        with open(file, encoding='utf-8') as lines:
            # Not splitlines: JSON strings may contain other line separators.
            text = lines.read().split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'{file} is not UTF-8 text: {error.reason}') from error
    if text and not text[-1]:
        text.pop()
    rows = []
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if half_line and number == len(text):
                break
            raise ValueError(f'{file}, line {number} is not JSON: {error}') from error
        if not isinstance(row, dict):
            raise ValueError(f'{file}, line {number} is not a JSON object: {line[:80]!r}')
        rows.append(row)
    return rows


def finished_rows(file: str | PathLike) -> list[dict]:
    """The rows of a stopped process, or none if there is no file.

    Args:
        file (str | PathLike): The file, to which rows will be appended: an incomplete
            last line is removed from it.

    Returns:
        list[dict]: The complete lines.

    Raises:
        ValueError: As :func:`read_rows`.
    """
    if not os.path.isfile(file):
        return []
    rows = read_rows(file, half_line=True)
    write_atomically(format_rows(rows).encode(), os.fspath(file))
    return rows


def format_rows(rows: Iterable[Mapping]) -> str:
    """The text of a file with one dict per line."""
    return ''.join(json.dumps(row) + '\n' for row in rows)
