"""What the pickle of a checkpoint may contain, and the functions that it may call.

All functions build plain values, tensors without data, or numeric arrays. Sizes are
checked before memory is allocated, so a wrong size can neither read nor write out of
bounds.
"""

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from .pickle_entries import DamagedContent, StorageEntry, StorageType, TensorEntry, UnsafeContent

# A large checkpoint has a million opcodes. Each takes at most 64 bytes.
MAX_OPCODES = 10_000_000
# Number of values, with repeated references counted each time, as most readers visit them.
MAX_VALUES = 20_000_000
MAX_DEPTH = 64
_MAX_DIMS = 64
_MAX_INT = 2**63 - 1

SCALARS = (str, bytes, bool, int, float, complex, type(None))
_STATISTICS = ('min', 'max', 'mean', 'current')
_HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
_NUMERIC = re.compile(
    r'torch\.(bool|u?int(8|16|32|64)|bfloat16|float(16|32|64|8_\w+)|complex(32|64|128))'
)


@dataclass(eq=False)
class Function:
    """One of the functions that a pickle may call."""

    name: str
    call: Callable[..., Any]


@dataclass(eq=False)
class DType:
    """A numeric NumPy dtype. ``build`` sets its byte order later."""

    dtype: np.dtype

    def build(self, state: Any) -> None:
        """Set the state, as the pickle gives it."""
        if not (
            isinstance(state, tuple)
            and len(state) >= 5
            and state[1] in ('<', '>', '|', '=')
            and state[2:5] == (None, None, None)
        ):
            raise UnsafeContent('a NumPy dtype that is not a plain number')
        self.dtype = self.dtype.newbyteorder(state[1])


@dataclass(eq=False)
class Array:
    """A NumPy array, built from its state."""

    value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        """Set the state, as the pickle gives it."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise DamagedContent('a NumPy array without its five parts')
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, DType):
            raise UnsafeContent('a NumPy array of something other than numbers')
        shape = as_ints(shape, "NumPy array's shape")
        raw = _bytes(data)
        if len(shape) > _MAX_DIMS or math.prod(shape) * dtype.dtype.itemsize != len(raw):
            raise DamagedContent(
                f'a NumPy array of shape {shape} and type {dtype.dtype} with {len(raw)} bytes'
            )
        flat = np.frombuffer(raw, dtype.dtype)
        if dtype.dtype.kind == 'b':
            flat = np.frombuffer(raw, np.uint8) != 0
        order: Literal['F', 'C'] = 'F' if fortran is True else 'C'
        # A writable copy, in this machine's byte order.
        self.value = flat.reshape(shape, order=order).astype(
            dtype.dtype.newbyteorder('='), order=order, copy=True
        )


@dataclass(eq=False)
class History:
    """mmengine's ``HistoryBuffer``, built from its state."""

    value: HistoryBuffer | None = None

    def build(self, state: Any) -> None:
        """Set the state, as the pickle gives it."""
        rows = []
        for key in ('_log_history', '_count_history'):
            array = state.get(key) if isinstance(state, dict) else None
            if isinstance(array, Array) and array.value is not None:
                rows.append(array.value)
        length = state.get('max_length') if isinstance(state, dict) else None
        if not (
            type(length) is int
            and length > 0
            and len(rows) == 2
            and all(row.ndim == 1 and row.dtype.kind in 'fiu' for row in rows)
            and len(rows[0]) == len(rows[1]) <= length
        ):
            raise DamagedContent('a training history that is not two rows of numbers')
        history = HistoryBuffer(max_length=length)
        history._log_history, history._count_history = rows
        self.value = history


# --- functions that a pickle may call -----------------------------------------


def as_ints(value: Any, what: str) -> tuple[int, ...]:
    """Check that a value consists of non-negative integers."""
    if not isinstance(value, tuple | list) or not all(
        type(x) is int and 0 <= x <= _MAX_INT for x in value
    ):
        raise DamagedContent(f'a {what} must consist of non-negative integers')
    return tuple(value)


def _bytes(value: Any) -> bytes:
    """Convert to bytes. Python 2 wrote them as text."""
    try:
        return value.encode('latin1') if isinstance(value, str) else bytes(memoryview(value))
    except (TypeError, UnicodeEncodeError) as error:
        raise DamagedContent('data that is not bytes') from error


def as_key(value: Any) -> Any:
    """Check that a dict's key is cheap to hash."""
    parts = value if type(value) is tuple and len(value) <= 8 else (value,)
    if not all(isinstance(part, SCALARS) for part in parts):
        raise DamagedContent('a dict key that is neither a string nor a number')
    return value


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    _hooks: Any = None,
    dtype: Any = None,
    *_: Any,
) -> TensorEntry:
    if not isinstance(storage, StorageEntry):
        raise DamagedContent('a tensor without a storage')
    if not isinstance(dtype, torch.dtype):
        dtype = storage.dtype
    size, stride = as_ints(size, "tensor's size"), as_ints(stride, "tensor's stride")
    (offset,) = as_ints((offset,), "tensor's offset")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=False))
    inside = 0 in size or (last + 1) * dtype.itemsize <= storage.nbytes
    if len(size) != len(stride) or len(size) > _MAX_DIMS or not inside:
        raise DamagedContent(
            f'a tensor of size {size}, stride {stride} and offset {offset} in a storage of '
            f'{storage.numel} elements'
        )
    return TensorEntry(storage, dtype, offset, size, stride, requires_grad is True)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> TensorEntry:
    if not isinstance(dtype, torch.dtype) or dtype not in _dtypes().values():
        raise UnsafeContent(f'a tensor of {dtype!r}')
    return _tensor(storage, offset, size, stride, grad, hooks, dtype)


def _tensor_v2(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> TensorEntry:
    return _tensor(storage, offset, size, stride, *rest[:1])


def _parameter(data: Any, requires_grad: Any = True, *_: Any) -> TensorEntry:
    if not isinstance(data, TensorEntry):
        raise DamagedContent('a parameter that is not a tensor')
    where = (data.storage, data.dtype, data.offset, data.size, data.stride)
    return TensorEntry(*where, requires_grad is True, parameter=True)


def _with_attributes(function: Any, _type: Any, args: Any, _state: Any) -> Any:
    """A tensor with custom attributes, which are dropped."""
    if not isinstance(function, Function) or not isinstance(args, tuple):
        raise UnsafeContent('a tensor that is not built by torch')
    return function.call(*args)


def _statistic(owner: Any, name: Any) -> None:
    """Replaces ``getattr``, which a training history uses to name its statistics."""
    if not (isinstance(owner, Function) and owner.name == _HISTORY and name in _STATISTICS):
        raise UnsafeContent(f'GLOBAL getattr of {str(name)[:40]!r} is not allowed')


def _dtype(name: Any, *_: Any) -> DType:
    if isinstance(name, bytes):
        name = name.decode('latin1')
    # Only booleans, integers and floats: no objects, structures or raw memory.
    if not isinstance(name, str) or name not in (
        *('b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8'),
    ):
        raise UnsafeContent(f'a NumPy dtype {str(name)[:20]!r} that is not a plain number')
    return DType(np.dtype(name))


def _scalar(dtype: Any, data: Any) -> Any:
    array = Array()
    array.build((1, (1,), dtype, False, data))
    assert array.value is not None
    return array.value[0]


def _pairs(kind: type) -> Callable[..., Any]:
    def build(items: Any = ()) -> Any:
        pairs = items.items() if isinstance(items, dict) else items
        try:
            return kind({as_key(key): value for key, value in pairs})
        except (TypeError, ValueError) as error:
            raise DamagedContent(f'a {kind.__name__} that is not built from pairs') from error

    return build


def _encode(text: Any, encoding: Any) -> bytes:
    if encoding not in ('latin1', 'latin-1') or not isinstance(text, str):
        raise UnsafeContent('a call of _codecs.encode that does not produce plain bytes')
    return text.encode('latin1')


def _empty_bytes(*args: Any) -> bytes:
    if args:
        raise UnsafeContent('a call of bytes with arguments')
    return b''


def _device(kind: Any, index: Any = None) -> torch.device:
    if not isinstance(kind, str) or not (index is None or type(index) is int):
        raise DamagedContent('an invalid device')
    return torch.device(kind) if index is None else torch.device(kind, index)


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(float(real), float(imaginary))


@cache
def _dtypes() -> dict[str, torch.dtype]:
    """Numeric dtypes by name, without quantized ones."""
    found = {str(v): v for v in vars(torch).values() if isinstance(v, torch.dtype)}
    return {name: dtype for name, dtype in found.items() if _NUMERIC.fullmatch(name)}


@cache
def _globals() -> dict[str, Any]:
    """Names that a pickle may use, and what they represent."""
    table: dict[str, Any] = dict(_dtypes())
    for dtype, storage in torch.storage._dtype_to_storage_type_map().items():
        if str(dtype) in table:
            table[f'torch.{storage}'] = StorageType(dtype)
            table[f'torch.cuda.{storage}'] = StorageType(dtype)
    table['torch.storage.UntypedStorage'] = StorageType(None)
    functions: dict[str, Callable[..., Any]] = {
        'collections.OrderedDict': _pairs(OrderedDict),
        'collections.Counter': _pairs(Counter),
        'builtins.set': lambda items=(): {as_key(item) for item in items},
        'builtins.complex': _complex,
        'builtins.bytes': _empty_bytes,
        'builtins.getattr': _statistic,
        '_codecs.encode': _encode,
        'torch.Size': lambda size: torch.Size(as_ints(size, 'torch.Size')),
        'torch.device': _device,
        'torch.Tensor': lambda *_: _refuse('a tensor in the oldest format'),
        'torch.nn.parameter.Parameter': _parameter,
        'torch._utils._rebuild_tensor': _tensor,
        'torch._utils._rebuild_tensor_v2': _tensor_v2,
        'torch._utils._rebuild_tensor_v3': _tensor_v3,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
        'torch._tensor._rebuild_from_type_v2': _with_attributes,
        _HISTORY: lambda *_: History(),
        'numpy.dtype': _dtype,
        'numpy.ndarray': lambda *_: _refuse('a bare call of numpy.ndarray'),
    }
    for core in ('numpy.core', 'numpy._core'):
        functions[f'{core}.multiarray._reconstruct'] = lambda *_: Array()
        functions[f'{core}.multiarray.scalar'] = _scalar
    table |= {name: Function(name, call) for name, call in functions.items()}
    # Protocol 4 names a class's method directly.
    return table | {f'{_HISTORY}.{name}': None for name in _STATISTICS}


def _refuse(what: str) -> Any:
    raise UnsafeContent(what)


def find_global(module: Any, name: Any) -> Any:
    """The function, type or constant that a pickle names.

    Raises:
        UnsafeContent: If it is not in the table of allowed names.
    """
    full = f'{module}.{name}'.replace('__builtin__.', 'builtins.')
    if full not in _globals():
        raise UnsafeContent(f'GLOBAL {full[:100]}')
    return _globals()[full]
