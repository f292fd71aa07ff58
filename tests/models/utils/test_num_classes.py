"""Where the number of classes is set, and how it is derived."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmrel.models.utils.num_classes import (
    checkpoint_classes,
    checkpoint_count,
    complete_count,
    model_count,
    set_count,
)


def _linear(**head) -> dict:
    return dict(type='LinearClassifier', head=dict(type='LinearClsHead', **head))


MODELS_AND_KEYS = [
    (_linear(), 'head'),
    (_linear(num_classes=None), 'head'),
    (dict(type='ImageClassifier', head=dict(type='mmpretrain.LinearClsHead')), 'head'),
    (dict(type='SimMatch', head=dict(type='PseudoLabelHead')), None),
    (dict(type='ViTAS', space=dict(type='ViTASSpace'), head=dict(type='SlicedLinearClsHead')),
     'space'),
    (dict(type='KShotNAS', space=dict(type='NASBench201Space')), 'space'),
]  # fmt: skip


@pytest.mark.parametrize(('model', 'part'), MODELS_AND_KEYS)
def test_the_number_stands_where_the_classifier_reads_it(
    mmrel_scope: None, model: dict, part: str | None
) -> None:
    assert complete_count(model, None, lambda: 7) == 7
    assert (model[part] if part else model)['num_classes'] == 7
    # Now it is set.
    assert complete_count(model, None, lambda: 8) is None
    assert (model[part] if part else model)['num_classes'] == 7


def test_models_without_a_classifier_have_none(mmrel_scope: None) -> None:
    model = dict(type='ReSSL', head=dict(type='RelationHead'))
    assert complete_count(model, None, lambda: 7) is None
    assert model == dict(type='ReSSL', head=dict(type='RelationHead'))
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


def test_a_checkpoint_that_will_be_loaded_decides(mmrel_scope: None, tmp_path: Path) -> None:
    path = str(tmp_path / 'a.pth')
    state = {'module.head.fc.weight': torch.zeros(5, 2), 'module.head.fc.bias': torch.zeros(5)}
    torch.save(dict(state_dict=state), path)
    assert checkpoint_count(path) == 5
    assert complete_count(_linear(), path, lambda: 7) == 5
    # A checkpoint with only a backbone does not.
    torch.save(dict(state_dict={'backbone.conv.bias': torch.zeros(9)}), path)
    assert complete_count(_linear(), path, lambda: 7) == 7
    with pytest.raises(ValueError, match=r"model\.head\.num_classes is not set, and '.*' has no"):
        complete_count(_linear(), path)


def test_without_anything_to_follow_the_key_is_named(mmrel_scope: None) -> None:
    with pytest.raises(
        ValueError, match=r'no checkpoint and the training set has no classes.*=\.\.\.'
    ):
        complete_count(_linear(), None, lambda: None)
    # A space has a default number, but None asks for a derived one.
    assert complete_count(dict(type='ViTAS', space=dict(type='ViTASSpace')), None) is None
    with pytest.raises(ValueError, match=r'model\.space\.num_classes is not set'):
        complete_count(dict(type='ViTAS', space=dict(type='ViTASSpace', num_classes=None)), None)


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
