"""Values of a pickle with their data: views stay views, and limits hold."""

from collections import OrderedDict
from typing import Any

import pytest
import torch

from mmrel.utils import pickle_assembler
from mmrel.utils.pickle_assembler import Assembler
from mmrel.utils.pickle_entries import DamagedContent, StorageEntry, TensorEntry, UnsafeContent
from mmrel.utils.pickle_values import MAX_DEPTH, Array, find_global

DATA = torch.arange(6.0)


def _entry(offset: int, size: tuple, stride: tuple, **settings: Any) -> TensorEntry:
    storage = StorageEntry('0', torch.float32, 'cpu', 6)
    settings = dict(dict(dtype=torch.float32, requires_grad=False), **settings)
    return TensorEntry(storage, offset=offset, size=size, stride=stride, **settings)


def _finish(value: Any, max_bytes: int = 1000) -> Any:
    return Assembler({'0': DATA.untyped_storage()}, max_bytes).finish(value)


def test_tensors_are_views_of_their_storage() -> None:
    first = _entry(1, (2, 2), (2, 1))
    content = OrderedDict(a=first, b=[(first, _entry(0, (3,), (0,)))], c={1, 'x'})
    found = _finish(content)
    assert found is content
    assert found['a'].tolist() == [[1, 2], [3, 4]]
    assert found['a'] is found['b'][0][0], 'a value that is shared stays shared'
    assert found['b'][0][1].tolist() == [0, 0, 0]
    assert found['a'].untyped_storage().data_ptr() == DATA.untyped_storage().data_ptr()
    bits = _finish(_entry(0, (2,), (1,), dtype=torch.int32))
    assert bits.tolist() == [0, 0x3F800000], 'the bits of 0.0 and 1.0'


def test_parameters_and_gradients_come_back() -> None:
    plain, learnt = (_finish(_entry(0, (2,), (1,), requires_grad=g)) for g in (False, True))
    assert (plain.requires_grad, learnt.requires_grad) == (False, True)
    assert type(learnt) is torch.Tensor
    weight = _finish(_entry(0, (2,), (1,), requires_grad=True, parameter=True))
    assert isinstance(weight, torch.nn.Parameter)
    assert weight.requires_grad
    # Integers cannot learn, whatever the file says.
    count = _finish(_entry(0, (2,), (1,), requires_grad=True, dtype=torch.int32, parameter=True))
    assert not count.requires_grad


def test_the_limit_counts_what_tensors_show_and_not_what_is_stored() -> None:
    def laughs() -> list:
        return [_entry(0, (5,), (0,)), _entry(0, (2, 2), (0, 1))]  # 9 floats on one storage

    assert len(_finish(laughs(), 36)) == 2
    with pytest.raises(DamagedContent, match='raise MMREL_MAX_CHECKPOINT_GB to load it'):
        _finish(laughs(), 35)


def _nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def test_deep_and_endless_values_are_refused() -> None:
    assert _finish(_nested(MAX_DEPTH)) == _nested(MAX_DEPTH)
    with pytest.raises(DamagedContent, match=f'nested more than {MAX_DEPTH} levels deep'):
        _finish(_nested(MAX_DEPTH + 1))
    itself: dict = {}
    itself['x'] = [itself]
    with pytest.raises(DamagedContent, match='levels deep'):
        _finish(itself)


def test_repetitions_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_assembler, 'MAX_VALUES', 63)

    def doubled(levels: int) -> list:
        value: list = []
        for _ in range(levels):
            value = [value, value]
        return value

    # Five levels are 2**6 - 1 lists, as a reader without a memory would see them.
    assert _finish(doubled(5)) == doubled(5)
    with pytest.raises(DamagedContent, match='more than 63 values, counting each repetition'):
        _finish(doubled(6))


@pytest.mark.parametrize(
    ('value', 'kind'),
    [
        (find_global('collections', 'OrderedDict'), 'Function'),
        (find_global('torch', 'FloatStorage'), 'StorageType'),
        (StorageEntry('0', torch.float32, 'cpu', 6), 'StorageEntry'),
        (Array(), 'Array'),
        (print, 'builtin_function_or_method'),
        (bytearray(3), 'bytearray'),
    ],
)
def test_other_values_are_refused(value: object, kind: str) -> None:
    with pytest.raises(UnsafeContent, match=f'^a value of type {kind}$'):
        _finish(dict(x=[value]))
