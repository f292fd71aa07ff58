"""The model zoo's index, and its weights: download, convert once, cache."""

import hashlib
import os
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import yaml

from .checkpoint import load_checkpoint_file
from .download import (
    cache_folder,
    check_file,
    downloaded,
    main_process_first,
    short_hash,
)
from .files import write_together
from .package import package_root
from .safe_loading import load_checkpoint

PREFIX = 'mmrel://'


@cache
def _read_zoo(root: Path) -> dict[str, dict]:
    """Entries by name, from the metafiles that ``model-index.yml`` imports."""
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    metafiles = [yaml.safe_load((root / path).read_text()) for path in index['Import']]
    return {entry['Name']: entry for meta in metafiles for entry in meta['Models']}


def zoo_entries() -> dict[str, dict]:
    """The zoo's entries in the metafiles, by model name."""
    return _read_zoo(package_root())


def zoo_file(relative: str) -> str:
    """The absolute path of a file named by an entry.

    Args:
        relative (str): The relative path, such as an entry's ``Config``.
    """
    return str(package_root() / relative)


def entry_of(weights: str) -> dict | None:
    """The first entry with these ``Weights``, or None.

    Args:
        weights (str): As in the metafile: a URL, or a path in the repository.
    """
    try:
        entries = zoo_entries().values()
    except FileNotFoundError:  # a copy of mmrel without its index can still load files
        return None
    return next((entry for entry in entries if entry.get('Weights') == weights), None)


def is_converted(entry: dict) -> bool:
    """Whether an entry's weights are an authors' file, which is converted after download.

    Args:
        entry (dict): An entry, from :func:`zoo_entries`.
    """
    return bool((entry.get('Converted From') or {}).get('Method'))


def released_weights(name: str) -> str:
    """Released weights in a form that every loader of mmrel accepts.

    The authors' files are downloaded and converted once. The originals are not kept.

    Args:
        name (str): A model in the zoo.

    Returns:
        str: A path, or the URL if the file needs no conversion.

    Raises:
        ValueError: If the model does not exist, or has no released weights.
        ImportError, OSError, RuntimeError: If the weights cannot be downloaded or read. The
            message names the URL, and the path for a manual download.
    """
    entry = zoo_entries().get(name)
    if entry is None:
        raise ValueError(
            f'{PREFIX}{name}: the zoo has no model {name!r}; '
            'mmrel.apis.list_models(with_pretrained=True) lists those with weights'
        )
    weights = entry.get('Weights')
    if not weights:
        raise ValueError(
            f'pretrained=True: {name} has no released weights yet; train it and give the '
            'checkpoint, pretrained=PATH or --pretrained PATH'
        )
    if not is_converted(entry):
        return weights if '://' in weights else zoo_file(weights)
    place = _Place(entry)
    main_process_first(place.fill)
    return place.converted


class _Place:
    """Cache paths of an authors' file and its converted version.

    Args:
        entry (dict): An entry, from :func:`zoo_entries`, with a conversion method.
    """

    def __init__(self, entry: dict) -> None:
        from mmrel.converters import METHODS  # above this package; needed only here

        self.address: str = entry['Weights']
        self.method: str = entry['Converted From']['Method']
        self.sha256: str | None = entry['Converted From'].get('SHA256')
        if self.method not in METHODS:
            raise ValueError(
                f'{entry["Name"]}: Converted From.Method={self.method!r} must be one of '
                f'{", ".join(METHODS)}'
            )
        stem = os.path.join(cache_folder(), 'mmrel', entry['Name'])
        # A later release with another URL, method or hash gets another file.
        key = short_hash(f'{self.address} {self.method} {self.sha256}')
        self.converted = f'{stem}-{key}.pth'
        self.by_hand = f'{stem}.official.pth'

    def fill(self) -> None:
        """Convert the manually placed file, or else a download. Does nothing if already done."""
        if os.path.isfile(self.converted):
            return
        if not os.path.isfile(self.by_hand):
            with downloaded(self.address, self.by_hand, self.sha256) as path:
                self._convert(path)
            return
        try:
            check_file(self.by_hand, self.sha256)
            self._convert(self.by_hand)
        except (RuntimeError, KeyError) as error:
            raise RuntimeError(
                f'{self.by_hand} cannot be used ({str(error.args[0]).splitlines()[0]}): replace '
                f'it with the file from {self.address}, or delete it'
            ) from error

    def _convert(self, path: str) -> None:
        from mmrel.converters import convert_checkpoint

        content = convert_checkpoint(self.method, load_checkpoint_file(path))
        with open(path, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        content['meta'].update(official_address=self.address, official_sha256=digest)
        write_together({self.converted: partial(torch.save, content)}, shared=True)


def load_from_zoo(filename: str, map_location: Any = None) -> Any:
    """Load ``mmrel://NAME`` for mmengine's ``CheckpointLoader``.

    Args:
        filename (str): The prefix and a model in the zoo.
        map_location: Same as in :func:`torch.load`.

    Raises:
        Exception: As for :func:`released_weights`.
    """
    path = released_weights(filename.removeprefix(PREFIX))
    return load_checkpoint(path, map_location)
