"""Spaces whose paths are encoded as network inputs: architecture and width codes."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from .space import ArchPath, Option, SearchSpace

__all__ = ['CodedSpace']


class CodedSpace(SearchSpace):
    """Base of the K-shot spaces: architecture choices, then width choices.

    The codes ignore entries that a network does not use. Networks that differ only in
    such entries have equal codes. Others that compute the same functions
    (:meth:`function_key`) may have different ones.

    Args:
        architecture (Mapping[str, Sequence]): Options by choice name, in order.
        widths (Mapping[str, Sequence[float]]): Fractions of the full width, in
            (0, 1] and in ascending order. May be empty.

    Raises:
        ValueError: If widths are not ascending or not in (0, 1], or a choice is invalid.
    """

    num_classes: int
    input_size: int

    def __init__(
        self,
        architecture: Mapping[str, Sequence[Option]],
        widths: Mapping[str, Sequence[float]],
    ) -> None:
        for name, options in widths.items():
            if list(options) != sorted(options) or not all(0 < o <= 1 for o in options):
                raise ValueError(f'{name}={list(options)} must be ascending and in (0, 1]')
        super().__init__({**architecture, **widths})
        self.width_choices = tuple(widths)
        self._architecture = {name: self.choices[name] for name in architecture}
        self._shares = [np.array(self.choices[name], dtype=np.float64) for name in widths]
        self._architecture_sizes = self._sizes[: len(architecture)]

    @property
    def image_size(self) -> int:
        """Image size in pixels, used by measured costs."""
        return self.input_size

    @property
    def code_sizes(self) -> tuple[int, int]:
        """Numbers of columns of `architecture_codes` and `width_codes`."""
        return int(self._architecture_sizes.sum()), len(self.width_choices)

    def architecture_codes(self, indices: np.ndarray) -> np.ndarray:
        """One-hot codes of the architecture choices of N paths, (N, A), float32."""
        sizes = self._architecture_sizes
        places = self.canonical(indices)[:, : len(sizes)]
        codes = np.zeros((len(places), int(sizes.sum())), dtype=np.float32)
        np.put_along_axis(codes, places + np.cumsum(sizes) - sizes, 1, axis=1)
        return codes

    def width_codes(self, indices: np.ndarray) -> np.ndarray:
        """Fractions of the full width, 0 if a layer is absent, (N, W), float32."""
        first = len(self._architecture_sizes)
        used = self.used(indices)[:, first:]
        shares = np.zeros(used.shape, dtype=np.float32)
        for i, options in enumerate(self._shares):
            shares[:, i] = options[indices[:, first + i]]
        return np.where(used, shares, np.float32(0))

    def mean_width(self, indices: np.ndarray) -> np.ndarray:
        """Mean width fraction over existing layers, (N,), float32; 1 without width choices."""
        shares = self.width_codes(indices)
        present = (shares > 0).sum(axis=1)
        return np.where(present > 0, shares.sum(axis=1) / np.maximum(present, 1), 1).astype(
            np.float32
        )

    def covering_paths(self) -> list[ArchPath]:
        """Paths at full width that together cover every option of every architecture choice."""
        count = int(self._architecture_sizes.max())
        return [
            {
                name: options[min(i, len(options) - 1)]
                for name, options in self._architecture.items()
            }
            | {name: self.choices[name][-1] for name in self.width_choices}
            for i in range(count)
        ]

    def shared_key(self, path: ArchPath, layer: str) -> str:
        """The supernet's name of a layer of a path's stand-alone backbone.

        Layers with the same name in all paths share their weights. A layer whose
        weights depend on an option needs the option in its name.

        Args:
            path (ArchPath): A path of this space.
            layer (str): The layer's name in the backbone of ``subnet(path)``.

        Returns:
            str: Defaults to ``layer``.
        """
        return layer

    @abstractmethod
    def largest(self) -> ArchPath:
        """The path with the most parameters."""


def pooled_classifier(backbone: dict, channels: int, num_classes: int) -> dict:
    """Config of the stand-alone classifier on a backbone's last map.

    Args:
        backbone (dict): Config of the backbone.
        channels (int): Channels of the map.
        num_classes (int): Number of classes.

    Returns:
        dict: Config of an ``ImageClassifier``.
    """
    return dict(
        type='ImageClassifier',
        backbone=backbone,
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', in_channels=channels, num_classes=num_classes),
    )
