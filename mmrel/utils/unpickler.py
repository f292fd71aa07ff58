"""An interpreter for the subset of pickle that checkpoints need.

A pickle is a program. This interpreter cannot import, and calls only the functions in
:mod:`.pickle_values`, all of which build plain values, tensors or numeric arrays.
"""

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import torch

from .pickle_entries import DamagedContent, StorageEntry, StorageType, UnsafeContent
from .pickle_values import (
    MAX_OPCODES,
    Array,
    DType,
    Function,
    History,
    as_ints,
    as_key,
    find_global,
)


@dataclass
class Pickle:
    """A parsed pickle, with tensors that do not have data yet.

    Attributes:
        root (Any): Its content.
        storages (dict[str, StorageEntry]): The storages it refers to, by key.
    """

    root: Any
    storages: dict[str, StorageEntry] = field(default_factory=dict)


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
            if count > MAX_OPCODES:
                raise DamagedContent(f'more than {MAX_OPCODES:,} opcodes')
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
        self._container(set).update(map(as_key, values))

    def _do_setitem(self, _: Any) -> None:
        key, value = self._pop(2)
        self._container(dict, OrderedDict, Counter)[as_key(key)] = value

    def _do_setitems(self, _: Any) -> None:
        values = self._to_mark()
        target = self._container(dict, OrderedDict, Counter)
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[as_key(key)] = value

    def _do_global(self, arg: str) -> None:
        module, _, name = arg.partition(' ')
        self.stack.append(find_global(module, name))

    def _do_stack_global(self, _: Any) -> None:
        self.stack.append(find_global(*self._pop(2)))

    def _do_reduce(self, _: Any) -> None:
        function, args = self._pop(2)
        if not isinstance(function, Function) or not isinstance(args, tuple):
            raise UnsafeContent(f'a call of a {type(function).__name__}')
        self.stack.append(function.call(*args))

    _do_newobj = _do_reduce

    def _do_build(self, _: Any) -> None:
        target, state = self._pop(2)
        if isinstance(target, DType | Array | History):
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
        (numel,) = as_ints((numel,), "storage's size")
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
