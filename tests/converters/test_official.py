"""Keys of the authors' files, and files that are none of theirs."""

import pytest
import torch

from mmrel.converters import METHODS, convert_checkpoint, convert_key


def test_a_key_is_converted_with_or_without_the_wrapper() -> None:
    for key in ('queue_ptr', 'module.queue_ptr'):
        assert convert_key('ressl', key) == 'memory.pointer'


@pytest.mark.parametrize(
    ('method', 'key'),
    [
        ('ressl', 'encoder_q.head.linear3.bias'), ('ressl', 'queue_ptr2'), ('ressl', 'x.queue'),
        ('wcl', 'head3.linear1.bias'), ('simmatch', 'main.head.1.bias'), ('vitas', 'net.norm.bias'),
    ],
)  # fmt: skip
def test_other_keys_are_refused(method: str, key: str) -> None:
    with pytest.raises(KeyError, match=f"'module.{key}' is not a key of an official {method}"):
        convert_key(method, f'module.{key}')


def test_a_file_becomes_a_checkpoint_with_its_origin() -> None:
    weights = {'module.queue': torch.ones(2, 3), 'encoder_q.net.conv1.weight': torch.zeros(1)}
    found = convert_checkpoint('ressl', dict(model=weights, epoch=199, optimizer={}))
    assert found['meta'] == dict(converted_from='official ressl checkpoint', official_epoch=199)
    assert found['state_dict'] == {
        'memory.queue': weights['module.queue'],
        'backbone.conv1.weight': weights['encoder_q.net.conv1.weight'],
    }
    assert (
        'official_epoch' not in convert_checkpoint('ressl', dict(model=weights, epoch='9'))['meta']
    )


@pytest.mark.parametrize('method', METHODS)
def test_a_file_of_another_kind_is_refused(method: str) -> None:
    entry = 'state_dict' if method == 'simmatch' else 'model'
    with pytest.raises(KeyError, match=rf"has no '{entry}', only \['a', 'b'\]: give an official"):
        convert_checkpoint(method, dict(b=1, a=2))
    state = {f'x{i}': torch.zeros(1) for i in range(9)}
    with pytest.raises(
        KeyError, match=rf"9 keys do not belong to an official {method} file: \['x0'"
    ):
        convert_checkpoint(method, {entry: state})
    with pytest.raises(RuntimeError, match=f'the official {method} file is not a state dict'):
        convert_checkpoint(method, {entry: dict(x=3)})
    with pytest.raises(RuntimeError, match=f'the official {method} file has NaN or infinite'):
        convert_checkpoint(method, {entry: dict(x=torch.tensor(float('nan')))})
