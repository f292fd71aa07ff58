"""Features of a loader's images, together with images and labels."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import nn

from mmrel.apis.features import extract_features


class _Toy(nn.Module):
    """Features are the mean color; the preprocessor changes the images."""

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        return dict(batch, inputs=batch['inputs'].float() / 255)

    def backbone(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        assert not self.training
        return (x,)


def _batch(values: list[int], **sample: torch.Tensor) -> dict:
    images = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)
    samples = [BaseDataElement(gt_label=torch.tensor([v % 3])) for v in values]
    return dict(inputs=images, data_samples=samples)


def test_images_features_and_labels_stay_together() -> None:
    data = extract_features(_Toy(), [_batch([5, 51]), _batch([102])])
    assert data.images[:, 0, 0, 0].tolist() == [5, 51, 102]
    torch.testing.assert_close(data.features, torch.tensor([[5.0], [51], [102]]).expand(3, 3) / 255)
    assert data.labels.tolist() == [2, 0, 0]


def test_batches_that_do_not_do() -> None:
    views = dict(_batch([1]), inputs=[torch.zeros(1, 3, 4, 4)] * 2)
    with pytest.raises(ValueError, match='one view'):
        extract_features(_Toy(), [views])
    with pytest.raises(ValueError, match='no labels'):
        extract_features(_Toy(), [dict(_batch([1]), data_samples=[BaseDataElement()])])
    with pytest.raises(ValueError, match='empty'):
        extract_features(_Toy(), [])


def test_labels_are_not_needed_if_they_are_not_read() -> None:
    unlabeled = dict(_batch([5, 51]), data_samples=[BaseDataElement(), BaseDataElement()])
    data = extract_features(_Toy(), [unlabeled], labeled=False)
    assert data.labels is None
    torch.testing.assert_close(data.features[:, 0], torch.tensor([5.0, 51]) / 255)


def test_the_teachers_features_are_those_after_its_last_step() -> None:
    model, shift = _Toy(), []
    model.teacher = SimpleNamespace(
        catch_up=lambda: shift.append(1.0), backbone=lambda x: (x + sum(shift),)
    )
    features = extract_features(model, [_batch([51])], teacher=True).features
    torch.testing.assert_close(features, torch.full((1, 3), 1.2))
    student = extract_features(model, [_batch([51])]).features
    torch.testing.assert_close(student, torch.full((1, 3), 0.2))
