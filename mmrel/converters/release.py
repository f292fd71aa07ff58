"""What a converter knows about the authors' checkpoints of a method."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Release:
    """The format of a method's official checkpoints.

    Attributes:
        entry (str): The entry of a file that holds the weights.
        keys (Sequence[tuple[str, str]]): Pattern and replacement, after the leading
            ``module.`` is removed. The first match wins. The ResNets of torchvision and
            mmpretrain use the same names.
        finish (Callable, optional): What is left to do when the keys are converted: from the
            official weights and the converted ones, the final state dict. Defaults to None.
    """

    entry: str
    keys: Sequence[tuple[str, str]]
    finish: Callable[[Mapping[str, Tensor], dict[str, Tensor]], dict[str, Tensor]] | None = None
