"""A checkpoint's space is compared with the model's."""

import json

import pytest
import torch
from torch import nn

from mmrel.models.supernets import SpaceIdentity
from tests.vitas import small_space


def _holder(**changes: object) -> nn.Module:
    return nn.ModuleDict(dict(identity=SpaceIdentity(small_space(**changes))))


def test_the_buffer_is_the_description_as_json() -> None:
    state = _holder().state_dict()
    stored = json.loads(bytes(state['identity.description'].tolist()))
    assert stored['type'] == 'ViTASSpace'
    assert stored['choices']['block0.heads'] == [2, 4, None]
    assert stored['num_classes'] == 5
    # A model of the same space loads it. How paths are sampled is not part of a space.
    _holder(identity_probability=0.1).load_state_dict(state)


def test_differences_are_listed_settings_first_and_not_all_of_them() -> None:
    state = _holder(num_classes=9, heads=(1, 4), depth=9).state_dict()
    with pytest.raises(ValueError, match='the checkpoint is from another search space: ') as caught:
        _holder().load_state_dict(state)
    message = str(caught.value)
    listed = message.partition('space: ')[2].partition('. Use the config')[0].split('; ')
    assert set(listed[:2]) == {
        'depth is 9 in the checkpoint, but 3 in the config',
        'num_classes is 9 in the checkpoint, but 5 in the config',
    }
    assert (
        'choices.block0.heads is [1, 4, None] in the checkpoint, but [2, 4, None] in the' in message
    )
    # Two settings, three heads and three choices of each of the six blocks that we lack.
    assert (len(listed), listed[-1]) == (9, 'and 15 more')
    assert message.endswith('Use the config that it was trained with, or another checkpoint')


def test_a_choice_that_only_one_space_has_is_missing_in_the_other() -> None:
    short, long = _holder(depth=2), _holder()
    text = r'choices\.block2\.heads is {} in the checkpoint, but {} in the config'
    with pytest.raises(ValueError, match=text.format("'missing'", r'\[2, 4, None\]')):
        long.load_state_dict(short.state_dict())
    with pytest.raises(ValueError, match=text.format(r'\[2, 4, None\]', "'missing'")):
        short.load_state_dict(long.state_dict())


@pytest.mark.parametrize('text', [b'{"type": ', b'[1, 2]', b'\xff\xfe', b'[' * 100_000])
def test_bytes_that_describe_no_space_are_refused(text: bytes) -> None:
    state = {'identity.description': torch.tensor(list(text), dtype=torch.uint8)}
    with pytest.raises(ValueError, match=r'^identity\.description of the checkpoint does not desc'):
        _holder().load_state_dict(state)


def test_a_checkpoint_without_a_space_is_left_to_the_loading() -> None:
    holder = _holder()
    holder['identity'].check_state_dict({}, 'identity.')
    assert holder.load_state_dict({}, strict=False).missing_keys == ['identity.description']
