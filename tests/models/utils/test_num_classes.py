"""Where a config, a checkpoint and a model hold the number of classes."""

import pytest
import torch
from torch import nn

from mmrel.models.utils.num_classes import (
    checkpoint_classes,
    count_in,
    model_count,
    set_count,
)


def _linear(**head) -> dict:
    return dict(type='LinearClassifier', head=dict(type='LinearClsHead', **head))


def test_a_model_without_a_classifier_has_none() -> None:
    assert model_count(nn.Linear(2, 2)) is None


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        (dict(data_preprocessor=dict(mean=[0])), None),
        (dict(data_preprocessor=dict(num_classes=None)), 4),
        (dict(data_preprocessor=dict(to_onehot=True)), 4),
        (dict(data_preprocessor=dict(), train_cfg=dict(augments=[dict(type='Mixup')])), 4),
        (dict(data_preprocessor=dict(num_classes=9)), 9),  # the hook refuses it
    ],
)
def test_a_preprocessor_that_mixes_images_gets_it_too(
    mmrel_scope: None, changes: dict, expected: int | None
) -> None:
    model = dict(_linear(num_classes=4), **changes)
    set_count(model, 6)
    assert model['head']['num_classes'] == 4
    assert model['data_preprocessor'].get('num_classes') == expected


def test_the_number_is_that_of_the_last_bias() -> None:
    state = {'module.head.a.bias': torch.zeros(9), 'module.head.fc.bias': torch.zeros(5)}
    assert count_in(dict(state_dict=state)) == count_in(state) == 5
    for without in ({'backbone.bias': torch.zeros(9)}, {'head.bias': 3}, dict(state_dict=1), None):
        assert count_in(without) is None


@pytest.mark.parametrize('names', ['abc', {'a': 1}, [1, 2], ['a', None]])
def test_names_that_are_not_texts_are_refused(names: object) -> None:
    state = {'classifier.bias': torch.zeros(2)}
    content = dict(state_dict=state, meta=dict(dataset_meta=dict(classes=names)))
    with pytest.raises(ValueError, match=r'meta\.dataset_meta\.classes'):
        checkpoint_classes(content)


def test_names_are_those_of_the_classifier() -> None:
    meta = dict(dataset_meta=dict(classes=['b', 'a']))
    state = {'classifier.bias': torch.zeros(2)}
    assert checkpoint_classes(dict(state_dict=state, meta=meta)) == ('b', 'a')
    # The names of a self-supervised run are only its folder's.
    assert checkpoint_classes(dict(state_dict={'neck.bias': state}, meta=meta)) is None
    for without in ({}, dict(meta=None), dict(meta=dict(dataset_meta=None)), state, [], None):
        assert checkpoint_classes(without) is None
