"""Fetching the weights of the zoo: shipped with mmrel, or released by a method's authors.

What is downloaded is read by :func:`.checkpoint.load_checkpoint_file`, converted to our
keys once, and kept in ``MMREL_HOME``, by default in torch hub's folder.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mmengine.dist import barrier, is_main_process
from torch.hub import download_url_to_file, get_dir

from .checkpoint import load_checkpoint_file
from .files import save_atomically
from .official import METHODS, convert_checkpoint

_DRIVE = 'drive.google.com'
_ORIGINAL, _CONVERTED = 'released.pth', 'converted.pth'


def weights_home() -> Path:
    """The folder of downloaded weights: ``MMREL_HOME``, else in torch hub's folder."""
    home = os.environ.get('MMREL_HOME')
    return Path(home).expanduser() if home else Path(get_dir()) / 'checkpoints' / 'mmrel'


def released_file(entry: Mapping[str, Any], root: Path) -> str:
    """The file with the weights of an entry of the zoo, downloaded if needed.

    Args:
        entry (Mapping): Of a metafile, with ``Weights``: a path relative to the package's
            files or an address. With ``Converted From``, the address has the authors' file,
            which is converted.
        root (Path): Where the package's files are, :func:`.package.package_root`.

    Returns:
        str: The path; :func:`.weights.load_weights` loads it.

    Raises:
        OSError: If the file cannot be downloaded. The message has the address and the
            place to put the file by hand.
        RuntimeError: If the file is not the authors' checkpoint. A downloaded one is
            removed, one that was put there by hand stays.
    """
    weights = entry['Weights']
    if '://' not in weights:
        return str(root / weights)
    folder = weights_home() / entry['Name']
    converted = 'Converted From' in entry
    name = _ORIGINAL if converted else Path(urlsplit(weights).path).name
    final = folder / (_CONVERTED if converted else name)
    if is_main_process() and not final.is_file():
        _provide(entry, folder / name, final)
    barrier()
    if not final.is_file():
        raise OSError(f'{entry["Name"]}: the main process could not provide {str(final)!r}')
    return str(final)


def _provide(entry: Mapping[str, Any], original: Path, final: Path) -> None:
    """Download an entry's file unless it is there, and convert it."""
    by_hand = original.is_file()
    if not by_hand:
        _download(entry['Weights'], original, entry['Name'])
    if original == final:
        return
    try:
        content = load_checkpoint_file(original)
        save_atomically(convert_checkpoint(_method(entry), content), str(final))
    except (RuntimeError, KeyError) as error:
        if not by_hand:
            original.unlink(missing_ok=True)
        reason = str(error.args[0]) if error.args else str(error)
        what = 'the file that was put there' if by_hand else 'what was downloaded'
        raise RuntimeError(
            f'{entry["Name"]}: {what} from {entry["Weights"]} is not the released checkpoint '
            f'({reason}); get it with a browser and put it at {str(original)!r}'
        ) from None


def _method(entry: Mapping[str, Any]) -> str:
    method = str(entry['In Collection']).lower()
    if method not in METHODS:
        raise KeyError(f'no converter for the collection {entry["In Collection"]!r}')
    return method


def _download(address: str, path: Path, name: str) -> None:
    """Download to ``path``; the file is complete or not there."""
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix='.download-', dir=path.parent))
        if urlsplit(address).netloc == _DRIVE:
            found = _from_drive(address, folder)
        else:
            found = folder / 'file'
            download_url_to_file(address, str(found))
        os.replace(found, path)
    # gdown and urllib raise many kinds of errors.
    except Exception as error:
        reason = ' '.join(str(error).split())[:300] or type(error).__name__
        raise OSError(
            f'{name}: {address} cannot be downloaded ({reason}); get the file with a browser and '
            f'put it at {str(path)!r}, then no network is needed'
        ) from None
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _from_drive(address: str, folder: Path) -> Path:
    """Download a file, or the one checkpoint of a folder, from Google Drive."""
    try:
        import gdown
    except ImportError:
        raise ImportError("Google Drive needs gdown: pip install 'mmrel[gdrive]'") from None
    parts = urlsplit(address)
    if '/folders/' not in parts.path:
        target = folder / 'file'
        found = gdown.download(id=parse_qs(parts.query)['id'][0], output=str(target))
        if not found or not target.is_file():
            raise OSError('Google Drive gave no file; it may be over its quota')
        return target
    gdown.download_folder(id=parts.path.rpartition('/')[2], output=str(folder))
    files = sorted(p for p in folder.rglob('*') if p.suffix in ('.pth', '.pt', '.tar', '.pkl'))
    if len(files) != 1:
        names = ', '.join(p.name for p in files) or 'none'
        raise OSError(f'the folder must have one checkpoint, it has {names}')
    return files[0]
