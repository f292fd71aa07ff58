"""Find the images in a folder tree, and list everything else."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mmengine.fileio import get_file_backend
from mmengine.logging import print_log

from .image_formats import has_extension, image_extensions

# Files that operating systems and programs create, besides those with a leading dot.
_JUNK = {
    '__MACOSX', '__pycache__', '@eaDir', '@Recycle', '#recycle', '$RECYCLE.BIN', 'lost+found',
    'System Volume Information', 'Thumbs.db', 'ehthumbs.db', 'desktop.ini', 'Icon\r',
}  # fmt: skip
_SHOWN = 5


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or created by a system."""
    return name.startswith('.') or name in _JUNK


def shown(names: list[str]) -> str:
    """The first few names on one line, with unprintable characters escaped."""
    some = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    return ', '.join(some) + (', ...' if len(names) > _SHOWN else '')


def log_found(root: str, found: str, left_out: list[str]) -> None:
    """Log on one line what is read from a folder.

    Args:
        root (str): The folder.
        found (str): Description of what is read.
        left_out (list[str]): From :meth:`FolderScan.left_out`.
    """
    rest = f'; left out: {", ".join(left_out)}' if left_out else ''
    print_log(f'{shown([root])}: {found}{rest}', logger='current')


def no_image_message(
    root: str, layout: str, extensions: tuple[str, ...], left_out: list[str]
) -> str:
    """The error message for a folder without images.

    Args:
        root (str): The folder.
        layout (str): The expected contents.
        extensions (tuple[str, ...]): Image extensions.
        left_out (list[str]): From :meth:`FolderScan.left_out`.

    Returns:
        str: The message.
    """
    names = sorted(extensions)
    usual = names == sorted(image_extensions())
    kinds = 'in any format that Pillow reads' if usual else f'with extension {", ".join(names)}'
    found = f'; found only: {", ".join(left_out)}' if left_out else ''
    return f'no images in folder {root!r}: expected {layout}, {kinds}{found}'


def unreadable_error(root: str, scan: 'FolderScan') -> OSError:
    """The error for folders that cannot be listed.

    Args:
        root (str): The folder that was scanned.
        scan (FolderScan): Its contents.

    Returns:
        OSError: The error; it names the first such folder.
    """
    name, reason = next(iter(scan.unreadable.items()))
    return OSError(
        f'folder {os.path.join(root, name)!r} cannot be listed ({reason}); make it readable, or '
        'skip it with skip_broken'
    )


@dataclass
class FolderScan:
    """The contents of a folder.

    Attributes:
        files (list[str]): The images, as paths relative to the folder, sorted.
        folders (list[str]): The direct subfolders, sorted.
        others (Counter[str]): Number of files with each other extension.
        hidden (list[str]): Hidden files and folders.
        loops (list[str]): Links to a folder that contains the link.
        unreadable (dict[str, str]): Folders that cannot be listed, and why.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: Counter = field(default_factory=Counter)
    hidden: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def left_out(self) -> list[str]:
        """Describe everything that is not read, one phrase per kind."""
        phrases = []
        if self.others:
            most = self.others.most_common(_SHOWN)
            kinds = ', '.join(f'{count} {kind or "without extension"}' for kind, count in most)
            more = ', ...' * (len(self.others) > _SHOWN)
            phrases.append(f'{self.others.total()} with other extensions ({kinds}{more})')
        if self.hidden:
            phrases.append(f'{len(self.hidden)} hidden ({shown(self.hidden)})')
        if self.loops:
            phrases.append(f'{len(self.loops)} links to a parent folder ({shown(self.loops)})')
        if self.unreadable:
            names = shown(list(self.unreadable))
            phrases.append(f'{len(self.unreadable)} unreadable folders ({names})')
        return phrases


def scan_folder(root: str, extensions: tuple[str, ...]) -> FolderScan:
    """Find all images in a folder tree.

    Links are followed. Anything with an image extension that is not a folder
    counts as an image, readable or not. So a broken link is reported as a broken
    image instead of being ignored.

    Args:
        root (str): The folder, or its URL in a storage backend.
        extensions (tuple[str, ...]): From :func:`.check_extensions`.

    Returns:
        FolderScan: Its contents.

    Raises:
        OSError: If the folder itself cannot be listed.
    """
    scan = FolderScan()
    for path in _remote(root, scan) if '://' in root else _local(root, scan):
        if has_extension(path, extensions):
            scan.files.append(path)
        else:
            scan.others[os.path.splitext(path)[1].lower()] += 1
    scan.files.sort()
    scan.folders.sort()
    scan.hidden.sort()
    return scan


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # for example, a link to itself
        return False


def _local(root: str, scan: FolderScan) -> Iterator[str]:
    """Yield the files in a local folder tree; record everything else in ``scan``."""
    pending: list[tuple[str, frozenset]] = [('', frozenset())]
    while pending:
        below, above = pending.pop()
        folder = os.path.join(root, below)
        try:
            state = os.stat(folder)
            entries = list(os.scandir(folder))
        except OSError as error:
            if not below:
                raise type(error)(f'folder {root!r} cannot be listed ({error.strerror})') from error
            scan.unreadable[below] = error.strerror or type(error).__name__
            continue
        # A folder may be visited again by another path, but not from inside itself.
        if (state.st_dev, state.st_ino) in above:
            scan.loops.append(below)
            if below in scan.folders:
                scan.folders.remove(below)
            continue
        above = above | {(state.st_dev, state.st_ino)}
        for entry in entries:
            path = f'{below}/{entry.name}' if below else entry.name
            if is_hidden(entry.name):
                scan.hidden.append(path)
            elif _is_folder(entry):
                pending.append((path, above))
                if not below:
                    scan.folders.append(path)
            else:
                yield path


def _remote(root: str, scan: FolderScan) -> Iterator[str]:
    """Yield the files in a folder tree of a storage backend."""
    backend = get_file_backend(root, enable_singleton=True)
    listed = backend.list_dir_or_file(root, list_dir=True, list_file=False, recursive=False)
    for name in listed:
        (scan.hidden if is_hidden(name) else scan.folders).append(name)
    hidden = set(scan.hidden)
    for path in backend.list_dir_or_file(root, list_dir=False, list_file=True, recursive=True):
        parts = path.split('/')
        if not any(map(is_hidden, parts)):
            yield path
        elif parts[0] not in hidden:
            scan.hidden.append(path)
