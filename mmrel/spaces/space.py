"""Search spaces: named choices, and paths as plain dicts of options."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ['Option', 'ArchPath', 'SearchSpace']

Option = str | int | float | None
# A path holds one option for every choice: {'patch': 16, 'block0.heads': 3, ...}. It is a
# plain dict: it can be stored as JSON and passed to a supernet's forward.
ArchPath = dict[str, Option]


class SearchSpace(ABC):
    """Base class of the search spaces.

    A space is an ordered dict of choices, each with its options. Populations are
    integer arrays with one row per path and one column per choice. Entries are
    option indices, so costs are closed forms over columns.

    Args:
        choices (Mapping[str, Sequence]): Options by choice name, in order.

    Raises:
        ValueError: If a choice has no options, or has duplicates.
    """

    def __init__(self, choices: Mapping[str, Sequence[Option]]) -> None:
        if not choices:
            raise ValueError(f'{type(self).__name__} has no choices')
        for name, options in choices.items():
            if not options or len(set(options)) != len(options):
                raise ValueError(f'{name}={options} must be a non-empty list of different options')
        self.choices = {name: tuple(options) for name, options in choices.items()}
        self._sizes = np.array([len(options) for options in self.choices.values()])
        self._places = {
            name: {option: place for place, option in enumerate(options)}
            for name, options in self.choices.items()
        }

    @property
    def size(self) -> int:
        """Number of paths. Paths that differ only in unused entries count separately.

        It can exceed the maximum that Python's ``len`` supports, 2**63 - 1.
        """
        size = 1
        for options in self.choices.values():
            size *= len(options)
        return size

    # --- sampling ---------------------------------------------------------

    def sample_indices(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Sample random paths, uniformly over the options of each choice.

        Args:
            n (int): Number of paths N.
            generator (np.random.Generator): Random generator.

        Returns:
            np.ndarray: Option indices, shape (N, C), int64.
        """
        return generator.integers(0, self._sizes, size=(n, len(self._sizes)), dtype=np.int64)

    def sample(self, generator: np.random.Generator) -> ArchPath:
        """One random path (see `sample_indices`)."""
        return self.paths(self.sample_indices(1, generator))[0]

    # --- a path as option indices and as one-hot code -----------------------

    def validate(self, path: Mapping[str, Option]) -> None:
        """Check that a path belongs to this space.

        Raises:
            ValueError: If not. The message has the choice, its value and the options.
        """
        if not isinstance(path, Mapping):
            raise ValueError(f'a path must be a dict of choices, not {path!r}')
        for name, options in self.choices.items():
            if name not in path:
                raise ValueError(f'the path lacks {name!r}, which must be one of {list(options)}')
            # True and 1.0 would pass as 1.
            place = self._places[name].get(path[name]) if _hashable(path[name]) else None
            if place is None or type(options[place]) is not type(path[name]):
                raise ValueError(
                    f'{name}={path[name]!r} of the path must be one of {list(options)}'
                )
        unknown = [name for name in path if name not in self.choices]
        if unknown:
            raise ValueError(
                f'the path has {unknown}, which are not choices of {type(self).__name__}'
            )

    def indices(self, paths: Sequence[ArchPath]) -> np.ndarray:
        """Option indices of N paths, shape (N, C), int64.

        Raises:
            ValueError: If a path does not belong to this space.
        """
        for path in paths:
            self.validate(path)
        rows = [[self._places[name][path[name]] for name in self.choices] for path in paths]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.choices))

    def paths(self, indices: np.ndarray) -> list[ArchPath]:
        """The paths of option indices (N, C)."""
        return [
            {
                name: options[place]
                for (name, options), place in zip(self.choices.items(), row, strict=True)
            }
            for row in np.asarray(indices).tolist()
        ]

    # --- equal paths --------------------------------------------------------

    def used(self, indices: np.ndarray) -> np.ndarray:
        """Which entries affect the network, shape (N, C), bool. Defaults to all.

        For example, the width of an absent block does not affect it.
        """
        return np.ones(np.shape(indices), dtype=bool)

    def canonical(self, indices: np.ndarray) -> np.ndarray:
        """The same paths with unused entries set to the first option."""
        return np.where(self.used(indices), indices, 0)

    def key(self, path: ArchPath) -> str:
        """A short string, equal for two paths only if they have the same network."""
        return '-'.join(map(str, self.canonical(self.indices([path]))[0]))

    def function_key(self, path: ArchPath) -> str:
        """A string, equal for two paths if they compute the same functions.

        Defaults to :meth:`key`. In some spaces different networks are equal as functions,
        such as those that differ in where they have an identity.
        """
        return self.key(path)

    def is_dead(self, path: ArchPath) -> bool:
        """Whether a network's output does not depend on its input. Defaults to False."""
        return False

    def active_layers(self, indices: np.ndarray) -> np.ndarray:
        """Number of layers of N networks that are neither absent nor an identity, (N,), int64.

        Defaults to the number of used entries.
        """
        return self.used(indices).sum(axis=1)

    # --- a path as text -----------------------------------------------------

    def architecture(self, text: str) -> ArchPath:
        """Read a path from text: the places of its options, such as '4-0-0-4-4-0'.

        A space of a public benchmark also reads the benchmark's own form.

        Args:
            text (str): The text.

        Returns:
            ArchPath: The path.

        Raises:
            ValueError: If the text does not name a path of this space.
        """
        places = text.split('-')
        if len(places) != len(self.choices) or not all(
            place.isdecimal() and int(place) < size
            for place, size in zip(places, self._sizes, strict=True)
        ):
            raise ValueError(
                f'{text!r} must have {len(self.choices)} places of options, joined by -, each '
                f'below the number of options: {"-".join(map(str, self._sizes))}'
            )
        return self.paths(np.array([[int(place) for place in places]]))[0]

    def architecture_text(self, path: ArchPath) -> str:
        """The text that :meth:`architecture` reads: the benchmark's, if there is one."""
        return '-'.join(map(str, self.indices([path])[0]))

    # --- costs --------------------------------------------------------------

    @abstractmethod
    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates for one image of each of N paths, shape (N,), int64."""

    @abstractmethod
    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of each of N stand-alone networks, shape (N,), int64."""

    @abstractmethod
    def subnet(self, path: ArchPath) -> dict:
        """Config of the stand-alone network (a classifier) of a path."""

    # --- files --------------------------------------------------------------

    def fingerprint(self) -> str:
        """Hash that identifies the space. Checkpoints and studies store it."""
        return hashlib.sha256(json.dumps(self.describe()).encode()).hexdigest()[:16]

    def describe(self) -> dict:
        """Type, choices and whatever else identifies the space, for JSON.

        Subclasses add the sizes that are not choices (full widths, depth, classes).
        """
        return dict(
            type=type(self).__name__,
            choices={name: list(options) for name, options in self.choices.items()},
        )


def encode_space(space: SearchSpace) -> Tensor:
    """The description of a space as JSON, in bytes (uint8), as checkpoints store it."""
    return torch.tensor(list(json.dumps(space.describe()).encode()), dtype=torch.uint8)


def _hashable(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
