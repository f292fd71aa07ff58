"""The part of a model that gives features or scores, on networks small enough for paper."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead
from torch import Tensor, nn

from mmrel.apis.outputs import check_output, output_network

# Two images of one channel: means 2 and -1.
IMAGES = torch.tensor([[[[1.0, 3.0]]], [[[0.0, -2.0]]]])


class _Maps(nn.Module):
    """Two maps, of which the last one counts: a multiple of the images."""

    def __init__(self, factor: float = 1.0, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.factor, self.dtype = factor, dtype

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images * 100, (images * self.factor).to(self.dtype)


class _Model(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone, self.data_preprocessor = backbone, nn.Identity()


def _classifier(backbone: nn.Module, **changes: object) -> ImageClassifier:
    head = LinearClsHead(num_classes=2, in_channels=1)
    head.fc.weight.data = torch.tensor([[1.0], [-1.0]])
    head.fc.bias.data = torch.tensor([0.0, 0.5])
    parts = {**dict(neck=GlobalAveragePooling(), head=head), **changes}
    return ImageClassifier(backbone, **parts).eval()


@pytest.mark.parametrize(
    ('inner', 'outer'),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_features_are_the_means_of_the_last_map(inner: torch.dtype, outer: torch.dtype) -> None:
    model = _Model(_Maps(3.0, inner))
    features = output_network(model, 'features')(IMAGES)
    assert features.dtype is outer
    assert features.tolist() == [[6.0], [-3.0]]


def test_the_teachers_features_are_those_after_its_last_step() -> None:
    model = _Model(_Maps())
    teacher = SimpleNamespace(backbone=_Maps(2.0))
    teacher.catch_up = lambda: setattr(teacher, 'backbone', _Maps(5.0))
    model.teacher = teacher
    check_output(model, 'features', teacher=True)
    assert output_network(model, 'features', teacher=True)(IMAGES).tolist() == [[10.0], [-5.0]]
    assert output_network(model, 'features')(IMAGES).tolist() == [[2.0], [-1.0]]


def test_scores_are_the_softmax_of_the_logits() -> None:
    model = _classifier(_Maps())
    check_output(model, 'scores')
    scores = output_network(model, 'scores')(IMAGES)
    # The logits are x and 0.5 - x.
    expected = [[1 / (1 + math.exp(0.5 - 2 * x)), 1 / (1 + math.exp(2 * x - 0.5))] for x in (2, -1)]
    torch.testing.assert_close(scores, torch.tensor(expected))


def _with(model: nn.Module, **attributes: object) -> nn.Module:
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    ('model', 'what', 'teacher', 'message'),
    [
        (_Model(_Maps()), 'logits', False, "what='logits' must be one of features, scores"),
        (nn.Linear(1, 1), 'features', False, 'Linear has no backbone'),
        (_with(nn.Linear(1, 1), backbone=_Maps()), 'scores', False, 'no data_preprocessor'),
        (_Model(_Maps()), 'features', True, r'_Model has no teacher: leave out teacher=True'),
        (_with(_Model(_Maps()), path_logits=None), 'features', False, 'Use the network of one'),
        (_with(_Model(_Maps()), _backbone_alone=True, teacher=SimpleNamespace(catch_up=list)),
         'features', True, 'the teacher would be random: give the training checkpoint'),
        (_Model(_Maps()), 'scores', False, r'_Model has no classifier: train one .*benchmarks'),
        (ImageClassifier(_Maps()), 'scores', False, 'ImageClassifier has no classifier'),
        (_classifier(_Maps(), head=nn.Identity()), 'scores', False,
         "model.head=Identity does not predict one class per image: .* ClsHead or a subclass"),
        (_with(_classifier(_Maps()), _backbone_alone=True), 'scores', False,
         'the classifier of ImageClassifier would be random: give the checkpoint from'),
    ],
)  # fmt: skip
def test_what_a_model_does_not_give_is_refused(
    model: nn.Module, what: str, teacher: bool, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_output(model, what, teacher)


def test_a_backbone_alone_gives_features() -> None:
    """Only what would be random is refused."""
    model = _with(_classifier(_Maps()), _backbone_alone=True)
    check_output(model, 'features')
    assert output_network(model, 'features')(IMAGES).tolist() == [[2.0], [-1.0]]
