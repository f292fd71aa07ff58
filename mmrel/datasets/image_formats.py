"""Which files count as images."""

from collections.abc import Iterable
from functools import cache

from PIL import Image

# Formats that Pillow lists but cannot decode, or not reliably.
_LEFT_OUT = {
    'EPS',  # runs Ghostscript
    'WMF',  # drawn by Windows
    'BUFR', 'GRIB', 'HDF5', 'MPEG', 'FPX', 'MIC',  # headers only, or decoded by other packages
    'FITS', 'MCIDAS', 'SPIDER',  # measurements: sign and range are lost
    'IPTC', 'IMT', 'XVTHUMB', 'GBR',  # containers, thumbnails and brushes
}  # fmt: skip
_FIRST = ('JPEG', 'PNG')


@cache
def image_formats() -> tuple[str, ...]:
    """The formats that mmrel decodes, by Pillow's names; includes registered plugins."""
    Image.init()
    return (*_FIRST, *(name for name in Image.ID if name not in _LEFT_OUT | {*_FIRST}))


@cache
def image_extensions() -> tuple[str, ...]:
    """The extensions of these formats in the installed Pillow, sorted, each with a dot."""
    readable = {*image_formats(), 'MPO'}  # Pillow opens MPO as JPEG
    return tuple(sorted(e for e, name in Image.registered_extensions().items() if name in readable))


def check_extensions(extensions: str | Iterable[str] | None) -> tuple[str, ...]:
    """Normalize the extensions given by a user.

    Args:
        extensions (str | Iterable[str], optional): For example '.webp', 'jpg,png'
            or ['.jpg']; an empty string stands for files without an extension.
            Defaults to None: :func:`image_extensions`.

    Returns:
        tuple[str, ...]: In lower case, with a dot, sorted.

    Raises:
        ValueError: If the list is empty.
        TypeError: If an extension is not a string.
    """
    if extensions is None:
        return image_extensions()
    given = [extensions] if isinstance(extensions, str) else list(extensions)
    if not all(isinstance(entry, str) for entry in given):
        raise TypeError(f'extensions={extensions!r} must be strings, such as .jpg')
    names = [part.strip().lower() for entry in given for part in entry.split(',')]
    if not names:
        raise ValueError("extensions is empty: give at least one, such as ['.jpg', '.png']")
    return tuple(sorted({name if name[:1] in ('', '.') else f'.{name}' for name in names}))


def has_extension(name: str, extensions: tuple[str, ...]) -> bool:
    """Whether a file has one of ``extensions``; '' matches files without an extension.

    Args:
        name (str): A file name or path.
        extensions (tuple[str, ...]): From :func:`check_extensions`.

    Returns:
        bool: Whether it does.
    """
    name = name.rsplit('/', 1)[-1].lower()
    if '.' not in name.lstrip('.'):
        return '' in extensions
    return name.endswith(tuple(e for e in extensions if e))
