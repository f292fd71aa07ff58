"""One vector per image, from the student or the teacher, without traces in the backbone."""

import copy

import pytest
import torch
from mmpretrain.models.utils import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmrel.models.utils import batch_features, feature_dim, network, pool_features


def test_the_last_map_is_averaged_over_space() -> None:
    maps = torch.arange(12.0).reshape(1, 2, 2, 3)
    assert pool_features((torch.zeros(1, 5, 1, 1), maps)).tolist() == [[2.5, 8.5]]
    vectors = torch.randn(3, 4)
    assert pool_features(vectors) is vectors
    assert pool_features([maps, vectors]) is vectors


def test_tokens_are_refused() -> None:
    message = r"of shape \(2, 17, 6\); .*set backbone\.out_type='cls_token'"
    with pytest.raises(ValueError, match=message):
        pool_features((torch.zeros(2, 17, 6),))


class _Scale(nn.Module):
    """A network whose backbone multiplies; as a teacher it has an update to apply."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.data_preprocessor = SelfSupDataPreprocessor(mean=[1.0], std=[2.0])
        self.factor, self.waiting = factor, 1.0

    def backbone(self, x: Tensor) -> tuple[Tensor]:
        return (x * self.factor,)

    def catch_up(self) -> None:
        self.factor, self.waiting = self.factor + self.waiting, 0.0


def test_features_are_of_the_networks_asked_for() -> None:
    model = _Scale(10.0)
    model.teacher = _Scale(100.0)
    samples = [DataSample().set_gt_label(label) for label in (3, 1)]
    batch = dict(inputs=torch.tensor([3.0, 5]).reshape(2, 1, 1, 1), data_samples=samples)
    features, found = batch_features(model, batch, (True, False, True))
    # Normalized to 1 and 2. The teacher's update comes first.
    assert [x.flatten().tolist() for x in features] == [[101, 202], [10, 20], [101, 202]]
    assert [sample.gt_label.item() for sample in found] == [3, 1]
    (alone,), _ = batch_features(model, batch)
    assert torch.equal(alone, features[1])


def test_a_model_without_teacher_says_so() -> None:
    with pytest.raises(ValueError, match=r'_Scale has no teacher: leave out teacher=True'):
        network(_Scale(1.0), teacher=True)


class _Backbone(nn.Module):
    """Accepts only its own image size; its second norm is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.img_size = (6, 4)
        self.conv = nn.Conv2d(3, 5, 2)
        self.norms = nn.Sequential(nn.BatchNorm2d(5), nn.BatchNorm2d(5))
        self.norms[1].eval()

    def forward(self, x: Tensor) -> tuple[Tensor]:
        if x.shape[1:] != (3, *self.img_size) or x.dtype != self.conv.weight.dtype:
            raise ValueError(f'an image of {tuple(x.shape)}, {x.dtype}')
        return (self.norms(self.conv(x)),)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_counting_features_leaves_modes_and_statistics(dtype: torch.dtype) -> None:
    backbone = _Backbone().to(dtype)
    before = copy.deepcopy(backbone.state_dict())
    assert feature_dim(backbone) == 5
    modes = {name: module.training for name, module in backbone.named_modules()}
    assert modes == {'': True, 'conv': True, 'norms': True, 'norms.0': True, 'norms.1': False}
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_modes_are_restored_after_an_error() -> None:
    backbone = _Backbone()
    backbone.img_size = 1  # smaller than the kernel
    with pytest.raises((RuntimeError, TypeError)):
        feature_dim(backbone)
    assert [norm.training for norm in backbone.norms] == [True, False]
