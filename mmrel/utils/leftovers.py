"""Remove what killed processes have left behind, at the next start."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .processes import has_ended, signature

_SIGNATURE = r'(?P<signed>[0-9a-f]{12}-\d+-\d+)'
# With the writer's signature, with a random name (before there were signatures), or plain.
_PARTIAL = re.compile(rf'.+?(\.{_SIGNATURE}\.\d+|\.[0-9a-f]{{12}})?\.partial')
_FOLDER = re.compile(rf'mmrel-scratch-{_SIGNATURE}-.*')
# Age after which a file counts as left if its writer cannot be checked (another machine).
_SECONDS = 24 * 3600.0


def _is_left(path: Path, signed: str | None) -> bool:
    ended = None if signed is None else has_ended(signed)
    if ended is not None:
        return ended
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > _SECONDS
    return False


def remove_partial_files(folder: str | Path) -> list[str]:
    """Remove files that a killed process left unfinished.

    A file is removed if the process that signed it has ended, or, if that is unknown,
    if nobody has written to it for a day. Others may remove files at the same time.

    Args:
        folder (str | Path): Where to look, without its sub-folders. It need not exist.

    Returns:
        list[str]: Names of the removed files.
    """
    removed = []
    paths = Path(folder).iterdir() if Path(folder).is_dir() else ()
    for path in paths:
        match = _PARTIAL.fullmatch(path.name)
        if match and path.is_file() and _is_left(path, match['signed']):
            with suppress(OSError):
                path.unlink()
                removed.append(path.name)
    return sorted(removed)


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a temporary folder; those of killed processes are removed first.

    Yields:
        str: The folder, which is removed at the end.
    """
    for path in Path(tempfile.gettempdir()).glob('mmrel-scratch-*'):
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir() and _is_left(path, match['signed']):
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f'mmrel-scratch-{signature()}-') as folder:
        yield folder
