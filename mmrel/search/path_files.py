"""Files with one path per line, as JSON."""

import json
import os
from collections.abc import Iterable, Mapping

from mmrel.spaces import Path, SearchSpace


def read_rows(file: str, half_line: bool = False) -> list[dict]:
    """Read a file with one dict per line.

    Args:
        file (str): The file.
        half_line (bool): Whether to ignore an incomplete last line, as left by a
            killed process. Defaults to False.

    Returns:
        list[dict]: The lines.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line is not a JSON object. The message has its number.
    """
    if not os.path.isfile(file):
        raise FileNotFoundError(f'the file of paths {file!r} does not exist')
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


def read_paths(file: str, space: SearchSpace) -> list[Path]:
    """Read one path per line, either the path itself or an object with the key ``path``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a path does not belong to the space. The message has its number.
    """
    rows = read_rows(file)
    if not rows:
        raise ValueError(f'{file} contains no paths')
    paths = []
    for number, row in enumerate(rows, 1):
        path = row.get('path', row)
        try:
            space.validate(path)
        except ValueError as error:
            raise ValueError(f'{file}, path {number}: {error}') from error
        paths.append(path)
    return paths


def format_rows(rows: Iterable[Mapping]) -> str:
    """The text of a file with one dict per line."""
    return ''.join(json.dumps(row) + '\n' for row in rows)
