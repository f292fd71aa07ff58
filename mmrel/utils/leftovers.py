"""Remove leftovers of killed processes at the next start."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .processes import has_ended, signature

_SIGNATURE = r'(?P<signed>[0-9a-f]{12}-\d+-\d+)'
# With the writer's signature, a random name (used before signatures existed), or plain.
_PARTIAL = re.compile(rf'.+?(\.{_SIGNATURE}\.\d+|\.[0-9a-f]{{12}})?\.partial')
_FOLDER = re.compile(rf'mmrel-scratch-{_SIGNATURE}-.*')
# Age after which a file counts as a leftover if its writer cannot be checked (other machine).
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

    A file is removed if the process that signed it has ended. If that is unknown, it is
    removed if it has not changed for a day. Other processes may do the same concurrently.

    Args:
        folder (str | Path): Folder to search, without subfolders. It need not exist.

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
    """Create a temporary folder, after removing those of killed processes.

    Yields:
        str: The folder. It is removed at the end.
    """
    for path in Path(tempfile.gettempdir()).glob('mmrel-scratch-*'):
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir() and _is_left(path, match['signed']):
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f'mmrel-scratch-{signature()}-') as folder:
        yield folder
