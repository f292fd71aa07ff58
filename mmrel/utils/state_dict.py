"""Comparing a model's keys with a checkpoint's, for messages people can act on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

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


def let_modules_check(model: nn.Module, given: Mapping[str, Any]) -> None:
    """Ask the modules that know more than keys and shapes whether a checkpoint fits.

    Args:
        model (nn.Module): Those of its modules that have ``check_state_dict(state,
            prefix)`` are asked.
        given (Mapping[str, Any]): A checkpoint's state dict.

    Raises:
        ValueError: What a module raises.
    """
    for name, module in model.named_modules():
        check = getattr(module, 'check_state_dict', None)
        if check is not None:
            check(given, f'{name}.' if name else '')


def state_digest(module: nn.Module) -> str:
    """Hash of a module's weights, buffers and other state; two files may hold the same ones.

    Args:
        module (nn.Module): No wrapper around it.

    Returns:
        str: 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        if isinstance(value, Tensor):
            digest.update(f'{value.dtype}{tuple(value.shape)}'.encode())
            # As bytes: NumPy has no bfloat16.
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()[:16]
