"""What a pickle may build: sizes are checked against a walk over all elements."""

import io
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmrel.utils.pickle_assembler import Assembler
from mmrel.utils.pickle_entries import DamagedContent, StorageEntry, UnsafeContent
from mmrel.utils.pickle_values import Function, as_ints, as_key, find_global
from mmrel.utils.unpickler import read_pickle
from tests.utils.pickle_opcodes import array_pickle, op_dtype, op_int, op_tuple


def _call(name: str, *args: Any) -> Any:
    function = find_global(*name.rsplit('.', 1))
    assert isinstance(function, Function)
    return function.call(*args)


def _entry(numel: int, dtype: torch.dtype = torch.float32) -> StorageEntry:
    return StorageEntry('0', dtype, 'cpu', numel)


def test_a_tensor_is_accepted_if_all_its_elements_are_in_the_storage() -> None:
    for size in itertools.product(range(3), range(4)):
        for stride in itertools.product(range(4), range(3)):
            for offset in range(7):
                places = [
                    offset + i * stride[0] + j * stride[1]
                    for i in range(size[0])
                    for j in range(size[1])
                ]
                given = (_entry(6), offset, size, stride, True)
                if all(place < 6 for place in places):
                    entry = _call('torch._utils._rebuild_tensor_v2', *given)
                    assert (entry.offset, entry.size, entry.stride) == (offset, size, stride)
                    assert entry.requires_grad
                else:
                    with pytest.raises(DamagedContent, match='in a storage of 6 elements'):
                        _call('torch._utils._rebuild_tensor_v2', *given)


@pytest.mark.parametrize(
    'given',
    [
        (-1, (2,), (1,)), (0, (-2,), (1,)), (0, (2,), (-1,)), (0, (2,), ()), (0, (), (1,)),
        (0, (2**62, 8), (1, 2**61)), (0, (1,) * 65, (1,) * 65), (True, (2,), (1,)),
        (0, (2.0,), (1,)), (0, 2, 1), (2**64, (0,), (1,)), (0, ('2',), (1,)),
    ],
)  # fmt: skip
def test_sizes_that_are_not_counts_are_refused(given: tuple) -> None:
    with pytest.raises(DamagedContent, match=r'a tensor of size|non-negative integers'):
        _call('torch._utils._rebuild_tensor', _entry(6), *given)
    with pytest.raises(DamagedContent, match='a tensor without a storage'):
        _call('torch._utils._rebuild_tensor', [1.0] * 6, 0, (2,), (1,))


def test_a_type_of_its_own_is_measured_in_bytes() -> None:
    def rebuild(size: int, dtype: Any) -> Any:
        return _call(
            'torch._utils._rebuild_tensor_v3', _entry(4), 0, (size,), (1,), False, None, dtype
        )

    assert rebuild(2, torch.float64).dtype == torch.float64
    with pytest.raises(DamagedContent, match=r'size \(3,\)'):
        rebuild(3, torch.float64)
    for dtype in (torch.qint8, None, 'torch.float32'):
        with pytest.raises(UnsafeContent, match='a tensor of'):
            rebuild(1, dtype)


def _arrays() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        draw.random((2, 3)),
        np.asfortranarray(draw.random((2, 3))).astype(np.float16),
        np.arange(6, dtype='>i4').reshape(3, 2),
        np.array([True, False]),
        np.array(3.5),
        np.zeros((0, 2)),
    ]


@pytest.mark.parametrize('protocol', [2, 4])
def test_arrays_and_numbers_of_numpy_come_back(protocol: int) -> None:
    for array in _arrays():
        read = read_pickle(io.BytesIO(pickle.dumps(array, protocol)))
        found = Assembler({}, 0).finish(read.root)
        np.testing.assert_array_equal(found, array, strict=array.dtype.isnative)
        assert found.flags.writeable
        assert found.flags.f_contiguous == array.flags.f_contiguous
    number = read_pickle(io.BytesIO(pickle.dumps(np.float64(0.1), protocol))).root
    assert (type(number), number) == (np.float64, 0.1)
    history = HistoryBuffer([1.0, 2.0], [1, 3], max_length=5)
    read = read_pickle(io.BytesIO(pickle.dumps(history, protocol)))
    found = Assembler({}, 0).finish(read.root)
    assert [row.tolist() for row in found.data] == [[1, 2], [1, 3]]
    assert found.mean() == history.mean()


@pytest.mark.parametrize(
    ('dtype', 'shape', 'error'),
    [
        (op_dtype('O8', order='|'), (1,), UnsafeContent),
        (op_dtype('V8', order='|'), (1,), UnsafeContent),
        (op_dtype('S8', order='|'), (1,), UnsafeContent),
        (op_dtype('M8'), (1,), UnsafeContent),
        (op_dtype('f8', fields=b'}'), (1,), UnsafeContent),
        (op_dtype('f8', order='x'), (1,), UnsafeContent),
        (b'N', (1,), UnsafeContent),
        (op_dtype('f8'), (2,), DamagedContent),
        (op_dtype('f4'), (1,), DamagedContent),
        (op_dtype('f8'), (-1,), DamagedContent),
        (op_dtype('f8'), (1,) * 65, DamagedContent),
    ],
)
def test_arrays_of_pointers_or_of_other_sizes_are_refused(
    dtype: bytes, shape: tuple, error: type
) -> None:
    raw = array_pickle(dtype, op_tuple(*map(op_int, shape)), b'A' * 8)
    with pytest.raises(error, match='a NumPy'):
        read_pickle(io.BytesIO(raw))


@pytest.mark.parametrize(
    ('name', 'args'),
    [
        ('torch.Tensor', ()),
        ('numpy.ndarray', ((10**12,),)),
        ('builtins.bytes', (10**12,)),
        ('_codecs.encode', ('x', 'rot13')),
        ('builtins.getattr', ('x', 'mean')),
        ('torch._tensor._rebuild_from_type_v2', (print, None, (), None)),
    ],
)
def test_functions_do_only_what_checkpoints_need(name: str, args: tuple) -> None:
    with pytest.raises(UnsafeContent):
        _call(name, *args)


def test_attributes_are_those_of_a_training_history() -> None:
    owner = find_global('mmengine.logging.history_buffer', 'HistoryBuffer')
    assert _call('builtins.getattr', owner, 'mean') is None
    for name in ('__init__', '__class__', 'data', 3):
        with pytest.raises(UnsafeContent, match=f'getattr of {str(name)!r} is not allowed'):
            _call('builtins.getattr', owner, name)
    with pytest.raises(UnsafeContent, match='getattr'):
        _call('builtins.getattr', find_global('collections', 'OrderedDict'), 'mean')


@pytest.mark.parametrize(
    'name', ['torch.qint8', 'torch.nn.Linear', 'torch.QInt8Storage', 'a' * 200]
)
def test_other_names_are_refused_and_shortened(name: str) -> None:
    with pytest.raises(UnsafeContent) as caught:
        find_global('torch', name.removeprefix('torch.'))
    assert str(caught.value).startswith('GLOBAL torch.')
    assert len(str(caught.value)) <= 107


def test_keys_are_cheap_and_counts_are_counts() -> None:
    for key in ('a', 1, (1, 'a', None), b'', 0.5, ('x',) * 8):
        assert as_key(key) is key
    for key in ([], ((1,),), ('x',) * 9, {}, torch.float32):
        with pytest.raises(DamagedContent, match='a dict key'):
            as_key(key)
    assert as_ints([0, 2**63 - 1], 'size') == (0, 2**63 - 1)
    for value in ([True], [-1], [2**63], [1.0], '12', 3, None):
        with pytest.raises(DamagedContent, match='a size must consist of non-negative integers'):
            as_ints(value, 'size')
