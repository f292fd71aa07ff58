"""The interpreter of pickles: plain values come out, and nothing else is done."""

import io
import pickle
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from mmrel.utils import unpickler
from mmrel.utils.pickle_entries import DamagedContent, UnsafeContent
from mmrel.utils.unpickler import Pickle, read_pickle
from tests.utils.pickle_opcodes import op_global, op_int, op_text, op_tuple

START = b'\x80\x02'


def _read(*ops: bytes, start: bytes = START) -> Pickle:
    return read_pickle(io.BytesIO(start + b''.join(ops) + b'.'))


PLAIN = [
    None, True, 0, -1, 255, 65536, -(2**31), 2**63, -(2**100), 0.1, float('inf'), 1 + 2j, '',
    'a\n\u00e9', 'x' * 70000, b'', b'\x00\xff' * 200, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4),
    [], [1], list(range(2000)), {}, {1: 'a', (2, 'b'): [None]}, dict.fromkeys(range(2000)), set(),
    {1, 'a'}, OrderedDict(b=1, a=2), Counter('aab'), torch.Size([2, 3]), torch.float16,
    torch.device('cuda', 1),
]  # fmt: skip


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_plain_values_are_those_of_pickle(protocol: int) -> None:
    for value in PLAIN:
        found = read_pickle(io.BytesIO(pickle.dumps(value, protocol))).root
        assert found == value
        assert type(found) is type(value)
    ordered = read_pickle(io.BytesIO(pickle.dumps(OrderedDict(b=1, a=2), protocol))).root
    assert list(ordered) == ['b', 'a']
    shared = [1]
    first, second = read_pickle(io.BytesIO(pickle.dumps([shared, shared], protocol))).root
    assert first is second


def test_only_one_pickle_is_read() -> None:
    file = io.BytesIO(pickle.dumps(1, 2) + pickle.dumps('next', 2))
    assert [read_pickle(file).root for _ in range(2)] == [1, 'next']


def _touch(sign: Path) -> bytes:
    return op_tuple(op_text(f'touch {sign}'))


@pytest.mark.parametrize(
    'function',
    [
        'os.system', 'posix.system', 'subprocess.getoutput', 'builtins.eval', '__builtin__.eval',
        'builtins.__import__', 'collections.OrderedDict.fromkeys', 'torch.load', 'builtins.open',
        'torch._utils._rebuild_tensor_v2.__globals__.get', 'mmengine.config.Config.fromfile',
    ],
)  # fmt: skip
def test_names_outside_the_table_are_refused_in_both_forms(tmp_path: Path, function: str) -> None:
    sign = tmp_path / 'ran'
    module, _, name = function.rpartition('.')
    text = function.replace('__builtin__', 'builtins')
    with pytest.raises(UnsafeContent, match=rf'^GLOBAL {text}$'):
        _read(op_global(function), _touch(sign), b'R')
    with pytest.raises(UnsafeContent, match=rf'^GLOBAL {text}$'):
        _read(op_text(module), op_text(name), b'\x93', _touch(sign), b'R', start=b'\x80\x04')
    # The module and the attribute may be parted anywhere.
    module, _, name = function.partition('.')
    with pytest.raises(UnsafeContent, match=r'^GLOBAL'):
        _read(op_text(module), op_text(name), b'\x93', start=b'\x80\x04')
    assert not sign.exists()


@pytest.mark.parametrize(
    ('name', 'ops'),
    [
        ('INST', b'(S"touch ran"\nios\nsystem\n'),
        ('OBJ', b'(Vtouch ran\no'),
        ('NEWOBJ_EX', b'}}\x92'),
        ('EXT1', b'\x82\x01'),
        ('EXT4', b'\x84\x01\x00\x00\x00'),
        ('PERSID', b'P0\n'),
        ('DUP', b'N2'),
        ('POP', b'NN0'),
        ('POP_MARK', b'N(1'),
        ('BYTEARRAY8', b'\x96' + bytes(8)),
        ('NEXT_BUFFER', b'\x97'),
        ('READONLY_BUFFER', b'N\x98'),
        ('FROZENSET', b'(\x91'),
        ('DICT', b'(d'),
    ],
)
def test_opcodes_that_checkpoints_do_not_need_are_refused(name: str, ops: bytes) -> None:
    first = dict(INST='STRING', OBJ='UNICODE').get(name, name)  # old texts are refused already
    with pytest.raises(UnsafeContent, match=f'^opcode {first}$'):
        _read(ops)
    if first != name:
        with pytest.raises(UnsafeContent, match=f'^opcode {name}$'):
            _read({'INST': b'(ios\nsystem\n', 'OBJ': b'(No'}[name])


@pytest.mark.parametrize(
    ('ops', 'message'),
    [
        (op_global('torch.FloatStorage') + b')R', 'a call of a StorageType'),
        (op_global('torch.float32') + b')R', 'a call of a dtype'),
        (b'})R', 'a call of a dict'),
        (op_text('os.system') + b')R', 'a call of a str'),
        (op_global('collections.OrderedDict') + b']R', 'a call of a Function'),
        (op_global('collections.OrderedDict') + b']\x81', 'a call of a Function'),
        (b']}b', 'attributes set on a list'),
        (b'}}b', 'attributes set on a dict'),
        (op_global('collections.OrderedDict') + b'}b', 'attributes set on a Function'),
        (b']' + op_text('append') + b'Ns', 'an item added to a list'),
        (b'}Na', 'an item added to a dict'),
        (b'](NNu', 'an item added to a list'),
        (op_global('collections.OrderedDict') + b'NNs', 'an item added to a Function'),
    ],
)
def test_calls_and_changes_of_other_things_are_refused(ops: bytes, message: str) -> None:
    with pytest.raises(UnsafeContent, match=f'^{message}$'):
        _read(ops)


@pytest.mark.parametrize(
    ('ops', 'message'),
    [
        (b'', 'not enough values to unpack'),
        (b'NN', 'too many values to unpack'),
        (b'a', 'a value is missing'),
        (b'(a', 'a value is missing'),
        (b']((a', 'a value is missing'),
        (b'Nt', 'a mark is missing'),
        (b']NNe', 'a mark is missing'),
        (b'\x86', 'a value is missing'),
        (b'h\x07', 'damaged: 7'),
        (b'}(Nu', 'the pickle is damaged: '),
        (b'}]Ns', 'a dict key that is neither a string nor a number'),
        (b'}(' + b'N' * 9 + b't' + b'Ns', 'a dict key that is neither'),
        (b'\x8f(]\x90', 'a dict key that is neither'),
        (b'X\xff\xff\xff\xffabc', 'damaged: expected'),
    ],
)
def test_damaged_pickles_are_refused(ops: bytes, message: str) -> None:
    with pytest.raises(DamagedContent, match=message) as caught:
        _read(ops)
    assert '\n' not in str(caught.value)


def test_a_pickle_without_end_or_with_too_many_opcodes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DamagedContent, match='damaged: pickle exhausted before seeing STOP'):
        read_pickle(io.BytesIO(START + b'N'))
    monkeypatch.setattr(unpickler, 'MAX_OPCODES', 6)
    assert _read(b'](NN', b'e').root == [None, None]
    with pytest.raises(DamagedContent, match='more than 6 opcodes'):
        _read(b'](NNN', b'e')


def test_a_state_dict_keeps_its_versions_and_no_other_attribute() -> None:
    def attributes(**values: Any) -> OrderedDict:
        made = pickle.dumps(values, 2)[2:-1]
        return _read(op_global('collections.OrderedDict'), b')R', made, b'b').root

    metadata = {'': dict(version=1), 'bn': dict(version=2, x='os.system'), 'odd': dict(version='1')}
    found = attributes(_metadata=metadata, keys='shadow', __class__='x')
    assert type(found) is OrderedDict
    assert vars(found) == dict(_metadata={'': dict(version=1), 'bn': dict(version=2)})
    assert vars(attributes(_metadata='x')) == {}


def _storage(
    kind: str = 'Float', key: bytes | None = None, numel: int = 4, tag: str = 'storage'
) -> bytes:
    return op_tuple(
        op_text(tag), op_global(f'torch.{kind}Storage'), key or op_text('0'), op_text('cpu'),
        op_int(numel),
    ) + b'Q'  # fmt: skip


def test_storages_are_listed_once_and_have_one_size() -> None:
    found = _read(b'(', _storage(), _storage('Int'), _storage(key=op_text('1'), numel=6), b't')
    assert {key: entry.nbytes for key, entry in found.storages.items()} == {'0': 16, '1': 24}
    # The second view has the same bytes as another type.
    assert [entry.dtype for entry in found.root] == [torch.float32, torch.int32, torch.float32]
    with pytest.raises(DamagedContent, match="the storage '0' has two different sizes"):
        _read(b'(', _storage(), _storage(numel=5), b't')


@pytest.mark.parametrize(
    ('ops', 'error', 'message'),
    [
        (_storage(tag='module'), UnsafeContent, 'something other than a storage'),
        (op_text('storage') + b'Q', UnsafeContent, 'something other than a storage'),
        (_storage(key=op_int(0)), UnsafeContent, 'a storage of unknown type'),
        (_storage(numel=-1), DamagedContent, 'must consist of non-negative integers'),
        (_storage('QInt8'), UnsafeContent, r'^GLOBAL torch\.QInt8Storage$'),
    ],
)
def test_references_to_other_things_are_refused(ops: bytes, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        _read(ops)
