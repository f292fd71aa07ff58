"""Compare a model's keys with a checkpoint's, for actionable messages."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

# If this environment variable is 1, non-finite weights are loaded.
_ALLOW = 'MMREL_ALLOW_NONFINITE'
_SHOWN = 6


@dataclass
class StateDictDifference:
    """How a checkpoint differs from what a module expects.

    Attributes:
        missing (list[str]): Keys that only the module has.
        unexpected (list[str]): Keys that only the checkpoint has.
        wrong_shape (list[str]): Shared keys with different shapes, and both shapes.
        wrong_type (list[str]): Shared keys with different kinds of types (such as
            integer and float), and both types.
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong_shape: list[str] = field(default_factory=list)
    wrong_type: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.wrong_shape or self.wrong_type)

    def describe(self, title: str) -> str:
        """A message of two lines: the title, and the differences with long lists shortened."""
        faults = []
        for label, keys in (
            ('missing in the checkpoint', self.missing),
            ('unexpected in the checkpoint', self.unexpected),
            ('with a different shape', self.wrong_shape),
            ('with a different type', self.wrong_type),
        ):
            if keys:
                more = f', and {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
                faults.append(f'{len(keys)} {label}: {", ".join(keys[:_SHOWN])}{more}')
        return f'{title}:\n  {"; ".join(faults)}'


def compare_state_dict(
    expected: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> StateDictDifference:
    """Compare keys, shapes and types.

    Floats of any precision count as the same type, and so do integers of any width.

    ``num_batches_tracked`` may be missing: checkpoints from old torch versions lack it.

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
        elif isinstance(value, Tensor) and _kind(value) != _kind(given[key]):
            difference.wrong_type.append(
                f'{key} (model {value.dtype}, checkpoint {given[key].dtype})'
            )
    difference.unexpected = [_readable(key) for key in given if key not in expected]
    return difference


def _kind(value: Tensor) -> str:
    if value.dtype.is_complex or value.dtype.is_floating_point:
        return 'complex' if value.dtype.is_complex else 'float'
    return 'bool' if value.dtype == torch.bool else 'int'


def _readable(key: str) -> str:
    """A key from a file, made safe for a message."""
    return key if key.isprintable() and len(key) <= 100 else repr(key[:100])


def weights_of(content: Any, where: str) -> dict[str, Tensor]:
    """The weights of a checkpoint, without the prefix ``module.``.

    Args:
        content (Any): From :func:`.checkpoint.load_checkpoint_file`, with an entry
            ``state_dict``, or the weights themselves.
        where (str): Name of the content, for messages, such as "checkpoint 'x.pth'".

    Returns:
        dict[str, Tensor]: The weights, at least one. Extra state of modules may be plain
        values.

    Raises:
        RuntimeError: If there are no weights, or values that are not tensors.
    """
    state = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state:
        raise RuntimeError(f'{where} has no weights: it lacks a state_dict')
    for key, value in state.items():
        if not isinstance(key, str) or not (
            isinstance(value, Tensor) or key.endswith('_extra_state')
        ):
            raise RuntimeError(
                f'{where} is not a state dict: {str(key)[:60]!r} is a {type(value).__name__}, not '
                'a tensor'
            )
    return {key.removeprefix('module.'): value for key, value in state.items()}


def check_finite(state: Mapping[str, Any], where: str) -> None:
    """Reject weights with NaN or infinite values, unless ``MMREL_ALLOW_NONFINITE=1``.

    Args:
        state (Mapping[str, Any]): Weights and buffers.
        where (str): Name of the content, for the message.

    Raises:
        RuntimeError: If there are such values. The message has the first key and the
            number of tensors.
    """
    if os.environ.get(_ALLOW) == '1':
        return
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    bad = [key for key, value in tensors.items() if not _is_finite(value)]
    if bad:
        raise RuntimeError(
            f'{where} has NaN or infinite values in {len(bad)} of {len(tensors)} tensors '
            f'(first: {_readable(bad[0])}): its training diverged; use an earlier checkpoint '
            f'({_ALLOW}=1 loads it anyway)'
        )


def _is_finite(value: Tensor) -> bool:
    if not (value.dtype.is_floating_point or value.dtype.is_complex):
        return True
    # The 8-bit types do not support isfinite.
    value = value.float() if value.dtype.itemsize == 1 else value
    return bool(value.isfinite().all())


def let_modules_check(model: nn.Module, given: Mapping[str, Any]) -> None:
    """Run the modules' own checks of a checkpoint, which go beyond keys and shapes.

    Args:
        model (nn.Module): The model. Modules with ``check_state_dict(state, prefix)``
            are checked.
        given (Mapping[str, Any]): A checkpoint's state dict.

    Raises:
        ValueError: If a module rejects the checkpoint.
    """
    for name, module in model.named_modules():
        check = getattr(module, 'check_state_dict', None)
        if check is not None:
            check(given, f'{name}.' if name else '')


def adapt_state_dict(model: nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a model's pre-load hooks to a checkpoint.

    Vision transformers, for example, use such hooks to resize position embeddings
    from another image size. Shapes must be compared after them.

    Args:
        model (nn.Module): The unwrapped model.
        given (Mapping[str, Any]): A checkpoint's state dict. It is not changed.

    Returns:
        dict[str, Any]: The state dict after the hooks of all modules.

    Raises:
        RuntimeError: If a hook reports an error.
        ValueError: If a hook raises one.
    """
    state = dict(given)
    for name, module in model.named_modules():
        for hook in module._load_state_dict_pre_hooks.values():
            errors: list[str] = []
            hook(state, f'{name}.' if name else '', {}, False, [], [], errors)
            if errors:
                raise RuntimeError('; '.join(errors))
    return state


def state_digest(module: nn.Module) -> str:
    """Hash of a module's weights, buffers and other state, independent of the file.

    Args:
        module (nn.Module): The unwrapped module.

    Returns:
        str: 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        if isinstance(value, Tensor):
            digest.update(f'{value.dtype}{tuple(value.shape)}'.encode())
            # As bytes: NumPy has no bfloat16.
            flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
            digest.update(flat.numpy().data)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()[:16]
