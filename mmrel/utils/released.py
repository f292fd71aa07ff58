"""The zoo's index, and its weights: found, fetched, converted once, cached."""

import hashlib
import os
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.runner.checkpoint import CheckpointLoader

from .checkpoint import load_checkpoint_file
from .download import (
    cache_folder,
    check_file,
    downloaded,
    main_process_first,
    short_hash,
)
from .files import write_together
from .official import METHODS, convert_checkpoint
from .package import package_root

PREFIX = 'mmrel://'


@cache
def _read_zoo(root: Path) -> dict[str, dict]:
    """Name -> entry of the metafiles that ``model-index.yml`` imports."""
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    metafiles = [yaml.safe_load((root / path).read_text()) for path in index['Import']]
    return {entry['Name']: entry for meta in metafiles for entry in meta['Models']}


def zoo_entries() -> dict[str, dict]:
    """The zoo: for each model's name its entry in the metafiles."""
    return _read_zoo(package_root())


def zoo_file(relative: str) -> str:
    """The path of a file that an entry names.

    Args:
        relative (str): Such as an entry's ``Config``.
    """
    return str(package_root() / relative)


def entry_of(weights: str) -> dict | None:
    """The first entry with these ``Weights``; None if there is none.

    Args:
        weights (str): As the metafile has it: an address, or a path in the repository.
    """
    try:
        entries = zoo_entries().values()
    except FileNotFoundError:  # a copy of mmrel without its index still loads files
        return None
    return next((entry for entry in entries if entry.get('Weights') == weights), None)


def is_converted(entry: dict) -> bool:
    """Whether an entry's weights are the authors' file, which is converted when it is fetched.

    Args:
        entry (dict): Of :func:`zoo_entries`.
    """
    return bool((entry.get('Converted From') or {}).get('Method'))


def released_weights(name: str) -> str:
    """Released weights as something that every loader of mmrel takes.

    The authors' files are fetched and converted here, once; the original is not kept.

    Args:
        name (str): A model of the zoo.

    Returns:
        str: A path; or the address, if the file needs no conversion.

    Raises:
        ValueError: If there is no such model, or it has no released weights.
        ImportError, OSError, RuntimeError: If they cannot be fetched or read; the message
            names the link and the place for a download by hand.
    """
    entry = zoo_entries().get(name)
    if entry is None:
        raise ValueError(
            f'{PREFIX}{name}: no model of the zoo is called {name!r}; '
            'mmrel.apis.list_models(with_pretrained=True) has those with weights'
        )
    weights = entry.get('Weights')
    if not weights:
        raise ValueError(
            f'pretrained=True: no weights of {name} are released yet; train it and give the path '
            'of the checkpoint, pretrained=PATH or --pretrained PATH'
        )
    if not is_converted(entry):
        return weights if '://' in weights else zoo_file(weights)
    place = _Place(entry)
    main_process_first(place.fill)
    return place.converted


class _Place:
    """Where an authors' file and what becomes of it are in the cache.

    Args:
        entry (dict): Of :func:`zoo_entries`, with a method to convert by.
    """

    def __init__(self, entry: dict) -> None:
        self.address: str = entry['Weights']
        self.method: str = entry['Converted From']['Method']
        self.sha256: str | None = entry['Converted From'].get('SHA256')
        if self.method not in METHODS:
            raise ValueError(
                f'{entry["Name"]}: Converted From.Method={self.method!r} must be one of '
                f'{", ".join(METHODS)}'
            )
        stem = os.path.join(cache_folder(), 'mmrel', entry['Name'])
        # Another address, method or hash in a later release is another file.
        key = short_hash(f'{self.address} {self.method} {self.sha256}')
        self.converted = f'{stem}-{key}.pth'
        self.by_hand = f'{stem}.official.pth'

    def fill(self) -> None:
        """Convert the file that was put there by hand, else the download; nothing if done."""
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
                f'it by the file of {self.address}, or delete it'
            ) from error

    def _convert(self, path: str) -> None:
        content = convert_checkpoint(self.method, load_checkpoint_file(path))
        with open(path, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        content['meta'].update(official_address=self.address, official_sha256=digest)
        write_together({self.converted: partial(torch.save, content)}, shared=True)


def load_from_zoo(filename: str, map_location: Any = None) -> Any:
    """Load ``mmrel://NAME`` for mmengine's ``CheckpointLoader``.

    Args:
        filename (str): The prefix and a model of the zoo.
        map_location: As in :func:`torch.load`.

    Raises:
        As :func:`released_weights`.
    """
    path = released_weights(filename.removeprefix(PREFIX))
    return CheckpointLoader.load_checkpoint(path, map_location, logger='silent')
