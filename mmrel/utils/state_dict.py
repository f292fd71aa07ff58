"""Comparing a model's keys with a checkpoint's, for messages people can act on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

_SHOWN = 8


@dataclass
class StateDictDifference:
    """How a checkpoint differs from what a module expects.

    Attributes:
        missing (list[str]): Keys that the module has and the checkpoint lacks.
        unexpected (list[str]): Keys that only the checkpoint has.
        wrong_shape (list[str]): Keys of both, with both shapes.
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong_shape: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.wrong_shape)

    def describe(self, title: str) -> str:
        """A message of a line per kind of fault, long lists cut short."""
        lines = [title + ':']
        for label, keys in (
            ('missing in the checkpoint', self.missing),
            ('unexpected in the checkpoint', self.unexpected),
            ('of another shape', self.wrong_shape),
        ):
            if keys:
                more = f', and {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
                lines.append(f'  {len(keys)} {label}: {", ".join(keys[:_SHOWN])}{more}')
        return '\n'.join(lines)


def compare_state_dict(
    expected: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> StateDictDifference:
    """Compare keys and shapes.

    ``num_batches_tracked`` may be missing: checkpoints of old torch lack it.

    Args:
        expected (Mapping[str, Tensor]): A module's state dict.
        given (Mapping[str, Tensor]): A checkpoint's state dict.

    Returns:
        StateDictDifference: Falsy when the two agree.
    """
    difference = StateDictDifference()
    for key, value in expected.items():
        if key not in given:
            if not key.endswith('num_batches_tracked'):
                difference.missing.append(key)
        elif isinstance(value, Tensor) and value.shape != given[key].shape:
            difference.wrong_shape.append(
                f'{key} (model {tuple(value.shape)}, checkpoint {tuple(given[key].shape)})'
            )
    difference.unexpected = [key for key in given if key not in expected]
    return difference
