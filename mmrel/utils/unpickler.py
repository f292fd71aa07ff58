"""An interpreter for the subset of pickle that checkpoints need.

A pickle is a program. This interpreter cannot import, and calls only the functions in
`_globals`, all of which build plain values, tensors or numeric arrays. Sizes are
checked before memory is allocated, so a wrong size can neither read nor write out of
bounds.
"""

import math
import pickletools
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

# A large checkpoint has a million opcodes. Each takes at most 64 bytes.
_MAX_OPCODES = 10_000_000
# Number of values, with repeated references counted each time, as most readers visit them.
_MAX_VALUES = 20_000_000
_MAX_DEPTH = 64
_MAX_DIMS = 64
_MAX_INT = 2**63 - 1

_SCALARS = (str, bytes, bool, int, float, complex, type(None))
_STATISTICS = ('min', 'max', 'mean', 'current')
_HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
_NUMERIC = re.compile(
    r'torch\.(bool|u?int(8|16|32|64)|bfloat16|float(16|32|64|8_\w+)|complex(32|64|128))'
)


class UnsafeContent(Exception):
    """A file requests something that checkpoints do not need, such as calling a function."""


class DamagedContent(Exception):
    """A file does not follow the format."""


@dataclass(frozen=True)
class StorageType:
    """Represents a name such as ``torch.FloatStorage``. ``dtype`` None means bytes."""

    dtype: torch.dtype | None


@dataclass(eq=False)
class StorageEntry:
    """A storage that the pickle refers to. Its bytes are elsewhere in the file.

    Attributes:
        key (str): Its name in the file.
        dtype (torch.dtype): Type of its elements, uint8 for bytes.
        location (str): The device it was saved from, such as 'cuda:0'.
        numel (int): Number of elements.
    """

    key: str
    dtype: torch.dtype
    location: str
    numel: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.numel * self.dtype.itemsize


@dataclass(eq=False)
class _TensorEntry:
    storage: StorageEntry
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    parameter: bool = False


@dataclass(eq=False)
class _Function:
    name: str
    call: Callable[..., Any]


@dataclass(eq=False)
class _DType:
    """A numeric NumPy dtype. ``build`` sets its byte order later."""

    dtype: np.dtype

    def build(self, state: Any) -> None:
        if not (
            isinstance(state, tuple)
            and len(state) >= 5
            and state[1] in ('<', '>', '|', '=')
            and state[2:5] == (None, None, None)
        ):
            raise UnsafeContent('a NumPy dtype that is not a plain number')
        self.dtype = self.dtype.newbyteorder(state[1])


@dataclass(eq=False)
class _Array:
    value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise DamagedContent('a NumPy array without its five parts')
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType):
            raise UnsafeContent('a NumPy array of something other than numbers')
        shape = _ints(shape, "NumPy array's shape")
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
class _History:
    value: HistoryBuffer | None = None

    def build(self, state: Any) -> None:
        rows = []
        for key in ('_log_history', '_count_history'):
            array = state.get(key) if isinstance(state, dict) else None
            if isinstance(array, _Array) and array.value is not None:
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


@dataclass
class Pickle:
    """A parsed pickle, with tensors that do not have data yet.

    Attributes:
        root (Any): Its content.
        storages (dict[str, StorageEntry]): The storages it refers to, by key.
    """

    root: Any
    storages: dict[str, StorageEntry] = field(default_factory=dict)


# --- functions that a pickle may call -----------------------------------------


def _ints(value: Any, what: str) -> tuple[int, ...]:
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


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    _hooks: Any = None,
    dtype: Any = None,
    *_: Any,
) -> _TensorEntry:
    if not isinstance(storage, StorageEntry):
        raise DamagedContent('a tensor without a storage')
    if not isinstance(dtype, torch.dtype):
        dtype = storage.dtype
    size, stride = _ints(size, "tensor's size"), _ints(stride, "tensor's stride")
    (offset,) = _ints((offset,), "tensor's offset")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=False))
    inside = 0 in size or (last + 1) * dtype.itemsize <= storage.nbytes
    if len(size) != len(stride) or len(size) > _MAX_DIMS or not inside:
        raise DamagedContent(
            f'a tensor of size {size}, stride {stride} and offset {offset} in a storage of '
            f'{storage.numel} elements'
        )
    return _TensorEntry(storage, dtype, offset, size, stride, requires_grad is True)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> _TensorEntry:
    if not isinstance(dtype, torch.dtype) or dtype not in _dtypes().values():
        raise UnsafeContent(f'a tensor of {dtype!r}')
    return _tensor(storage, offset, size, stride, grad, hooks, dtype)


def _tensor_v2(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> _TensorEntry:
    return _tensor(storage, offset, size, stride, *rest[:1])


def _parameter(data: Any, requires_grad: Any = True, *_: Any) -> _TensorEntry:
    if not isinstance(data, _TensorEntry):
        raise DamagedContent('a parameter that is not a tensor')
    where = (data.storage, data.dtype, data.offset, data.size, data.stride)
    return _TensorEntry(*where, requires_grad is True, parameter=True)


def _with_attributes(function: Any, _type: Any, args: Any, _state: Any) -> Any:
    """A tensor with custom attributes, which are dropped."""
    if not isinstance(function, _Function) or not isinstance(args, tuple):
        raise UnsafeContent('a tensor that is not built by torch')
    return function.call(*args)


def _statistic(owner: Any, name: Any) -> None:
    """Replaces ``getattr``, which a training history uses to name its statistics."""
    if not (isinstance(owner, _Function) and owner.name == _HISTORY and name in _STATISTICS):
        raise UnsafeContent(f'GLOBAL getattr of {str(name)[:40]!r} is not allowed')


def _dtype(name: Any, *_: Any) -> _DType:
    if isinstance(name, bytes):
        name = name.decode('latin1')
    # Only booleans, integers and floats: no objects, structures or raw memory.
    if not isinstance(name, str) or name not in (
        *('b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8'),
    ):
        raise UnsafeContent(f'a NumPy dtype {str(name)[:20]!r} that is not a plain number')
    return _DType(np.dtype(name))


def _scalar(dtype: Any, data: Any) -> Any:
    array = _Array()
    array.build((1, (1,), dtype, False, data))
    assert array.value is not None
    return array.value[0]


def _pairs(kind: type) -> Callable[..., Any]:
    def build(items: Any = ()) -> Any:
        pairs = items.items() if isinstance(items, dict) else items
        try:
            return kind({_key(key): value for key, value in pairs})
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
        'builtins.set': lambda items=(): {_key(item) for item in items},
        'builtins.complex': _complex,
        'builtins.bytes': _empty_bytes,
        'builtins.getattr': _statistic,
        '_codecs.encode': _encode,
        'torch.Size': lambda size: torch.Size(_ints(size, 'torch.Size')),
        'torch.device': _device,
        'torch.Tensor': lambda *_: _refuse('a tensor in the oldest format'),
        'torch.nn.parameter.Parameter': _parameter,
        'torch._utils._rebuild_tensor': _tensor,
        'torch._utils._rebuild_tensor_v2': _tensor_v2,
        'torch._utils._rebuild_tensor_v3': _tensor_v3,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
        'torch._tensor._rebuild_from_type_v2': _with_attributes,
        _HISTORY: lambda *_: _History(),
        'numpy.dtype': _dtype,
        'numpy.ndarray': lambda *_: _refuse('a bare call of numpy.ndarray'),
    }
    for core in ('numpy.core', 'numpy._core'):
        functions[f'{core}.multiarray._reconstruct'] = lambda *_: _Array()
        functions[f'{core}.multiarray.scalar'] = _scalar
    table |= {name: _Function(name, call) for name, call in functions.items()}
    # Protocol 4 names a class's method directly.
    return table | {f'{_HISTORY}.{name}': None for name in _STATISTICS}


def _refuse(what: str) -> Any:
    raise UnsafeContent(what)


def _global(module: Any, name: Any) -> Any:
    full = f'{module}.{name}'.replace('__builtin__.', 'builtins.')
    if full not in _globals():
        raise UnsafeContent(f'GLOBAL {full[:100]}')
    return _globals()[full]


# --- the interpreter ----------------------------------------------------------

_CONSTANTS = {
    *('BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT', 'BINUNICODE', 'SHORT_BINUNICODE'),
    *('BINUNICODE8', 'SHORT_BINSTRING', 'BINSTRING', 'SHORT_BINBYTES', 'BINBYTES', 'BINBYTES8'),
}
_FIXED = dict(NONE=None, NEWTRUE=True, NEWFALSE=False)
_EMPTY: dict[str, Callable[[], Any]] = dict(
    EMPTY_TUPLE=tuple, EMPTY_LIST=list, EMPTY_DICT=dict, EMPTY_SET=set
)
_TUPLES = dict(TUPLE1=1, TUPLE2=2, TUPLE3=3)
_MARK = object()


def _key(value: Any) -> Any:
    """Check that a dict's key is cheap to hash."""
    parts = value if type(value) is tuple and len(value) <= 8 else (value,)
    if not all(isinstance(part, _SCALARS) for part in parts):
        raise DamagedContent('a dict key that is neither a string nor a number')
    return value


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[Any, Any] = {}
        self.storages: dict[str, StorageEntry] = {}

    def run(self, file: BinaryIO) -> Any:
        steps = {
            name.removeprefix('_do_').upper(): getattr(self, name)
            for name in dir(self)
            if name.startswith('_do_')
        }
        for count, (opcode, arg, _) in enumerate(pickletools.genops(file)):
            if count > _MAX_OPCODES:
                raise DamagedContent(f'more than {_MAX_OPCODES:,} opcodes')
            name = opcode.name
            if name in _CONSTANTS:
                self.stack.append(arg)
            elif name in _FIXED:
                self.stack.append(_FIXED[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif name in _TUPLES:
                self.stack[-_TUPLES[name] :] = [tuple(self._top(_TUPLES[name]))]
            elif name in ('BINGET', 'LONG_BINGET'):
                self.stack.append(self.memo[arg])
            elif name in ('BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
                self.memo[len(self.memo) if arg is None else arg] = self._top(1)[0]
            elif name == 'STOP':
                (root,) = self.stack
                return root
            elif name not in ('PROTO', 'FRAME'):
                if name not in steps:
                    raise UnsafeContent(f'opcode {name}')
                steps[name](arg)
        raise DamagedContent('the pickle ends too early')

    def _top(self, count: int) -> list[Any]:
        """The topmost values. Marks are not allowed among them."""
        values = self.stack[-count:]
        if len(values) < count or any(value is _MARK for value in values):
            raise DamagedContent('the pickle is damaged: a value is missing')
        return values

    def _pop(self, count: int) -> list[Any]:
        values = self._top(count)
        del self.stack[-count:]
        return values

    def _to_mark(self) -> list[Any]:
        place = next((i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] is _MARK), -1)
        if place < 0:
            raise DamagedContent('the pickle is damaged: a mark is missing')
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def _container(self, *kinds: type) -> Any:
        (value,) = self._top(1)
        if type(value) not in kinds:
            raise UnsafeContent(f'an item added to a {type(value).__name__}')
        return value

    def _do_mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._to_mark()))

    def _do_append(self, _: Any) -> None:
        (value,) = self._pop(1)
        self._container(list).append(value)

    def _do_appends(self, _: Any) -> None:
        values = self._to_mark()
        self._container(list).extend(values)

    def _do_additems(self, _: Any) -> None:
        values = self._to_mark()
        self._container(set).update(map(_key, values))

    def _do_setitem(self, _: Any) -> None:
        key, value = self._pop(2)
        self._container(dict, OrderedDict, Counter)[_key(key)] = value

    def _do_setitems(self, _: Any) -> None:
        values = self._to_mark()
        target = self._container(dict, OrderedDict, Counter)
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def _do_global(self, arg: str) -> None:
        module, _, name = arg.partition(' ')
        self.stack.append(_global(module, name))

    def _do_stack_global(self, _: Any) -> None:
        self.stack.append(_global(*self._pop(2)))

    def _do_reduce(self, _: Any) -> None:
        function, args = self._pop(2)
        if not isinstance(function, _Function) or not isinstance(args, tuple):
            raise UnsafeContent(f'a call of a {type(function).__name__}')
        self.stack.append(function.call(*args))

    _do_newobj = _do_reduce

    def _do_build(self, _: Any) -> None:
        target, state = self._pop(2)
        if isinstance(target, _DType | _Array | _History):
            target.build(state)
        elif type(target) is OrderedDict:
            # Module versions in a state dict. Other attributes could shadow methods.
            versions = state.get('_metadata') if isinstance(state, dict) else None
            if isinstance(versions, dict):
                target._metadata = OrderedDict(  # type: ignore[attr-defined]
                    (module, {'version': entry.get('version')})
                    for module, entry in versions.items()
                    if isinstance(entry, dict) and type(entry.get('version')) is int
                )
        else:
            raise UnsafeContent(f'attributes set on a {type(target).__name__}')
        self.stack.append(target)

    def _do_binpersid(self, _: Any) -> None:
        (pid,) = self._pop(1)
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] not in ('storage',):
            raise UnsafeContent('a reference to something other than a storage')
        _, kind, key, location, numel, *view = pid
        if not isinstance(kind, StorageType) or not all(
            isinstance(part, str) for part in (key, location)
        ):
            raise UnsafeContent('a reference to a storage of unknown type')
        if view and view[0] is not None:
            raise UnsafeContent('a view of a storage, in the oldest format')
        (numel,) = _ints((numel,), "storage's size")
        entry = StorageEntry(key, kind.dtype or torch.uint8, location, numel)
        known = self.storages.setdefault(key, entry)
        if known.nbytes != entry.nbytes:
            raise DamagedContent(f'the storage {key[:20]!r} has two different sizes')
        # The same bytes with another type: torch.save writes views this way.
        self.stack.append(known if known.dtype == entry.dtype else entry)


def read_pickle(file: BinaryIO) -> Pickle:
    """Read one pickle from a binary file, up to its end.

    Raises:
        UnsafeContent: If it requests anything that is not allowed.
        DamagedContent: If it does not follow the format, or exceeds a limit.
    """
    machine = _Machine()
    try:
        root = machine.run(file)
    except (UnsafeContent, DamagedContent):
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedContent(f'the pickle is damaged: {reason[:120]}') from error
    return Pickle(root, machine.storages)


# --- values -------------------------------------------------------------------


class Assembler:
    """Fill a parsed pickle with its data.

    Args:
        storages (dict[str, torch.UntypedStorage]): The storages' bytes, by key.
        max_bytes (int): Limit for the total size of all tensors. Tensors that share
            memory are counted separately.
    """

    def __init__(self, storages: dict[str, torch.UntypedStorage], max_bytes: int) -> None:
        self._storages, self._left = storages, max_bytes
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def finish(self, value: Any) -> Any:
        """Return the value with its tensors filled in.

        Raises:
            UnsafeContent: If it contains anything but plain values and tensors.
            DamagedContent: If it contains itself, or exceeds a limit.
        """
        return self._finish(value, 0)[0]

    def _finish(self, value: Any, depth: int) -> tuple[Any, int]:
        if value is None or type(value) in _SCALARS:
            return value, 1
        if isinstance(value, np.generic | torch.dtype | torch.device | torch.Size):
            return value, 1
        known = self._done.get(id(value))
        if known is not None:
            return known
        if depth > _MAX_DEPTH or id(value) in self._open:
            raise DamagedContent(f'values nested more than {_MAX_DEPTH} levels deep')
        self._open.add(id(value))
        result = self._build(value, depth + 1)
        self._open.discard(id(value))
        if result[1] > _MAX_VALUES:
            raise DamagedContent(f'more than {_MAX_VALUES:,} values, counting each repetition')
        self._done[id(value)] = result
        return result

    def _build(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, dict):
            count = 1
            for key in value:
                value[key], size = self._finish(value[key], depth)
                count += size
            return value, count
        if isinstance(value, list):
            parts = [self._finish(part, depth) for part in value]
            value[:] = [part for part, _ in parts]
            return value, 1 + sum(size for _, size in parts)
        if type(value) is tuple:
            parts = [self._finish(part, depth) for part in value]
            return tuple(part for part, _ in parts), 1 + sum(size for _, size in parts)
        if isinstance(value, set):
            return value, 1 + len(value)
        if isinstance(value, _TensorEntry):
            return self._tensor(value), 1
        if isinstance(value, _Array | _History) and value.value is not None:
            return value.value, 1
        raise UnsafeContent(f'a value of type {type(value).__name__.strip("_")}')

    def _tensor(self, entry: _TensorEntry) -> torch.Tensor:
        self._left -= math.prod(entry.size) * entry.dtype.itemsize
        if self._left < 0:
            raise DamagedContent(
                'its tensors are far larger than the file; raise MMREL_MAX_CHECKPOINT_GB to load it'
            )
        storage = self._storages[entry.storage.key]
        tensor = torch.empty(0, dtype=entry.dtype, device=storage.device)
        tensor.set_(storage, entry.offset, entry.size, entry.stride)
        learns = entry.requires_grad and (entry.dtype.is_floating_point or entry.dtype.is_complex)
        if entry.parameter:
            return torch.nn.Parameter(tensor, requires_grad=learns)
        return tensor.requires_grad_(learns)
