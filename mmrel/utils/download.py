"""Download files and check them before they enter the cache."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mmengine.dist import barrier, is_main_process
from torch.hub import download_url_to_file, get_dir

_HOME = 'MMREL_HOME'
_DRIVE = 'drive.google.com'
_DRIVE_PATH = re.compile(r'/(?:file/d|drive(?:/u/\d+)?/(?P<folder>folders))/(?P<id>[\w-]+)')
# A name with the file's hash, as in torch hub and OpenMMLab: the same file at any URL.
_HASHED = re.compile(r'-[0-9a-f]{8,64}\.\w+$')


def home_folder() -> str:
    """The folder of all caches: ``$MMREL_HOME`` if it is set, else torch hub's folder."""
    home = os.environ.get(_HOME)
    return os.path.expanduser(home) if home else get_dir()


def cache_folder() -> str:
    """The folder for downloaded checkpoints, ``checkpoints`` in :func:`home_folder`."""
    return os.path.join(home_folder(), 'checkpoints')


def short_hash(text: str) -> str:
    """Eight hexadecimal digits that distinguish URLs in file names.

    Args:
        text (str): A URL.
    """
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def cached_path(address: str) -> str:
    """The path of a URL's file in the cache.

    Two URLs share a path only if the file's name contains its hash.

    Args:
        address (str): An http, https or Google Drive URL.

    Returns:
        str: The path. The file need not exist.

    Raises:
        ValueError: If the URL does not name a file.
    """
    if drive := drive_id(address):
        return os.path.join(cache_folder(), f'drive-{drive[0]}.pth')
    name = os.path.basename(urlsplit(address).path)
    if name in ('', '.', '..'):
        raise ValueError(f'{address!r} does not name a file')
    parts = [name] if _HASHED.search(name) else [short_hash(address), name]
    return os.path.join(cache_folder(), *parts)


def drive_id(address: str) -> tuple[str, bool] | None:
    """The Google Drive ID in a URL.

    Args:
        address (str): Any URL.

    Returns:
        tuple[str, bool] | None: The ID, and whether it is a folder's. None if the URL is
        not that of a file or folder on Google Drive.
    """
    parts = urlsplit(address)
    if parts.hostname != _DRIVE:
        return None
    match = _DRIVE_PATH.search(parts.path)
    if match:
        return match['id'], match['folder'] is not None
    given = parse_qs(parts.query).get('id')
    return (given[0], False) if given else None


def main_process_first(make: Callable[[], None]) -> None:
    """Create a file on the main process, then on ranks that do not see it.

    Args:
        make (Callable): Creates the file. Does nothing if it exists.
    """
    if not is_main_process():
        barrier()
        make()
        return
    try:
        make()
    finally:  # the other ranks wait, even if this fails
        barrier()


@contextmanager
def downloaded(address: str, place: str, sha256: str | None = None) -> Iterator[str]:
    """Download a file as a context manager. The body reads it and moves or converts it.

    Args:
        address (str): An http, https or Google Drive URL (a file, or a folder with one file).
        place (str): Path for a manual download, named in errors.
        sha256 (str, optional): The file's hash, or its first digits. Defaults to None: unknown.

    Yields:
        str: The file, in a temporary folder next to ``place``, which is removed afterwards.

    Raises:
        ImportError: If Google Drive is needed and gdown is not installed.
        OSError: If the download fails.
        RuntimeError: If the file is a web page, has another hash, or the body cannot read it.
    """
    by_hand = f'download {address} by hand and put the file at {place}'
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.download-', dir=os.path.dirname(place)) as scratch:
        try:
            path = _get(address, scratch)
        except ImportError as error:
            raise ImportError(f'{error}, or {by_hand}') from None
        except Exception as error:  # errors of urllib and gdown do not name the URL
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise OSError(f'{address!r} cannot be downloaded ({reason}): {by_hand}') from error
        try:
            check_file(path, sha256)
            yield path
        except (RuntimeError, KeyError) as error:
            reason = str(error.args[0]).replace(f'checkpoint {path!r}', 'the file').splitlines()[0]
            raise RuntimeError(
                f'the download from {address!r} cannot be used ({reason}): {by_hand}'
            ) from error


def check_file(path: str, sha256: str | None = None) -> None:
    """Reject a web page, or a file with another hash.

    Args:
        path (str): The file.
        sha256 (str, optional): See :func:`downloaded`.

    Raises:
        RuntimeError: If the file is one of these.
    """
    with open(path, 'rb') as file:
        if file.read(256).lstrip().lower().startswith((b'<!doctype', b'<html')):
            raise RuntimeError('it is a web page (for example about a quota), not a checkpoint')
        if sha256:
            file.seek(0)
            found = hashlib.file_digest(file, 'sha256').hexdigest()
            if not found.startswith(sha256.lower()):
                raise RuntimeError(f'its SHA-256 is {found}, expected {sha256}: it has changed')


def _get(address: str, scratch: str) -> str:
    """Download to a scratch folder, with a progress bar. Returns the file's path."""
    found = drive_id(address)
    path = os.path.join(scratch, 'file')
    if found is None:
        try:
            download_url_to_file(address, path)
        except HTTPException as error:
            raise OSError(f'{type(error).__name__}: {error}') from error
        return path
    try:
        import gdown
    except ImportError:
        raise ImportError(
            f"{address!r} is on Google Drive: pip install gdown (mmrel's extra 'gdrive')"
        ) from None
    identifier, is_folder = found
    if not is_folder:
        gdown.download(id=identifier, output=path)
    else:
        gdown.download_folder(id=identifier, output=os.path.join(scratch, 'folder'))
        files = [file for file in Path(scratch, 'folder').rglob('*') if file.is_file()]
        if len(files) != 1:
            names = ', '.join(sorted(file.name for file in files)[:5]) or 'none'
            raise OSError(f'the folder must have exactly one file, but has {len(files)}: {names}')
        shutil.move(files[0], path)
    if not os.path.isfile(path):  # old versions of gdown only print what went wrong
        raise OSError('gdown did not write a file')
    return path
