"""Numbers that a config leaves out: the checkpoint's, else the training set's."""

from pathlib import Path

import pytest
import torch

from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers

SEVEN = DataNumbers(classes=7, labeled=30)


def _linear(**head) -> dict:
    return dict(type='LinearClassifier', head=dict(type='LinearClsHead', **head))


def _simmatch(**memory) -> dict:
    head = dict(type='PseudoLabelHead')
    return dict(type='SimMatch', head=head, memory=dict(type='LabeledBank', **memory))


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
    key = f'model.{part}.num_classes' if part else 'model.num_classes'
    assert complete_numbers(model, None, lambda: SEVEN) == {key: 7}
    assert (model[part] if part else model)['num_classes'] == 7
    # Now it is set.
    assert complete_numbers(model, None, lambda: DataNumbers(8)) == {}
    assert (model[part] if part else model)['num_classes'] == 7


def test_models_without_a_classifier_have_none(mmrel_scope: None) -> None:
    # The size of this memory is a setting: it does not follow from the data.
    model = dict(type='ReSSL', head=dict(type='RelationHead'), memory=dict(type='FeatureQueue'))
    before = {k: dict(v) if isinstance(v, dict) else v for k, v in model.items()}
    assert complete_numbers(model, None, lambda: SEVEN) == {}
    assert model == before


def test_a_checkpoint_that_will_be_loaded_decides(mmrel_scope: None, tmp_path: Path) -> None:
    path = str(tmp_path / 'a.pth')
    state = {'module.head.fc.weight': torch.zeros(5, 2), 'module.head.fc.bias': torch.zeros(5)}
    torch.save(dict(state_dict=state), path)
    assert complete_numbers(_linear(), path, lambda: SEVEN) == {'model.head.num_classes': 5}
    # A checkpoint with only a backbone does not.
    torch.save(dict(state_dict={'backbone.conv.bias': torch.zeros(9)}), path)
    assert complete_numbers(_linear(), path, lambda: SEVEN) == {'model.head.num_classes': 7}
    with pytest.raises(ValueError, match=r"model\.head\.num_classes is not set, and '.*' has no"):
        complete_numbers(_linear(), path)


def test_without_anything_to_follow_the_key_is_named(mmrel_scope: None) -> None:
    with pytest.raises(
        ValueError, match=r'no checkpoint and the training set has no classes.*=\.\.\.'
    ):
        complete_numbers(_linear(), None, lambda: None)
    # A space has a default number, but None asks for a derived one.
    assert complete_numbers(dict(type='ViTAS', space=dict(type='ViTASSpace')), None) == {}
    with pytest.raises(ValueError, match=r'model\.space\.num_classes is not set'):
        complete_numbers(dict(type='ViTAS', space=dict(type='ViTASSpace', num_classes=None)), None)


@pytest.mark.parametrize('bank', [{}, dict(size=None)])
def test_a_bank_has_a_slot_for_each_labeled_image(
    mmrel_scope: None, bank: dict, tmp_path: Path
) -> None:
    model = _simmatch(**bank)
    expected = {'model.num_classes': 7, 'model.memory.size': 30}
    assert complete_numbers(model, None, lambda: SEVEN) == expected
    assert (model['num_classes'], model['memory']['size']) == (7, 30)
    # The one that will be loaded, if there is one.
    state = {'classifier.bias': torch.zeros(3), 'memory.labels': torch.zeros(12)}
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    expected = {'model.num_classes': 3, 'model.memory.size': 12}
    assert complete_numbers(_simmatch(**bank), str(tmp_path / 'a.pth'), lambda: SEVEN) == expected


def test_a_given_size_is_kept(mmrel_scope: None) -> None:
    model = dict(_simmatch(size=5), num_classes=2)
    assert complete_numbers(model, 'not read', lambda: SEVEN) == {}
    assert (model['num_classes'], model['memory']['size']) == (2, 5)


def test_without_images_no_result_depends_on_the_size(mmrel_scope: None) -> None:
    model = dict(_simmatch(), num_classes=2)
    assert complete_numbers(model, None) == {}
    assert model['memory']['size'] == 1


def test_the_training_set_is_read_once_and_only_if_needed(mmrel_scope: None) -> None:
    calls = []

    def of_data() -> DataNumbers:
        calls.append(1)
        return SEVEN

    complete_numbers(dict(_simmatch(size=5), num_classes=2), None, of_data)
    assert calls == []
    complete_numbers(_simmatch(), None, of_data)
    assert calls == [1]
