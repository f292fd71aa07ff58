"""Outputs of a trained model for images: backbone features or class scores."""

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from mmrel.models.algorithms import SimMatch
from mmrel.models.utils.features import network, pool_features
from mmrel.models.utils.precision import at_least_float32


def _check_alone(model: nn.Module, teacher: bool) -> None:
    """Reject a supernet, a missing teacher, and a teacher whose weights were not loaded."""
    name = type(model).__name__
    if hasattr(model, 'path_logits'):
        raise ValueError(
            f'{name} is a supernet: its weights are shared by all paths of a space. Use the '
            'network of one path: retrain.py of a search (docs/search.md), or '
            'model.subnet_state_dict'
        )
    network(model, teacher)
    if teacher and getattr(model, '_backbone_alone', False):
        raise ValueError(
            'the checkpoint has only a backbone, so the teacher would be random: give the '
            'training checkpoint, or leave out teacher=True (--teacher) if the file is '
            'a published teacher'
        )


def check_features(model: nn.Module, teacher: bool = False) -> None:
    """Check that a model gives features.

    Args:
        model (nn.Module): An unwrapped model.
        teacher (bool): Check the teacher instead of the student. Defaults to False.

    Raises:
        ValueError: If the model has no backbone or no teacher, is a supernet, or the
            loaded weights have no teacher.
    """
    for part in ('backbone', 'data_preprocessor'):
        if not hasattr(model, part):
            raise ValueError(f'{type(model).__name__} has no {part}')
    _check_alone(model, teacher)


class _Features(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        return at_least_float32(pool_features(self.backbone(images)))


def check_scores(model: nn.Module, teacher: bool = False) -> None:
    """Check that a model gives class scores.

    Args:
        model (nn.Module): An unwrapped model.
        teacher (bool): Check the teacher instead of the student. Defaults to False.

    Raises:
        ValueError: As for :func:`check_features`; also if the model has no
            classifier, or the loaded weights have none.
    """
    check_features(model, teacher)
    name = type(model).__name__
    if not isinstance(model, SimMatch) and not (
        isinstance(model, ImageClassifier) and model.with_head
    ):
        raise ValueError(
            f'{name} has no classifier: train one on its checkpoint (configs/*/benchmarks: linear; '
            'configs/lowshot: fine-tuned) and give that config and its checkpoint, or use '
            'FeatureExtractor (mmrel.apis.extract) for features'
        )
    if not isinstance(model, SimMatch) and not isinstance(model.head, ClsHead):
        raise ValueError(
            f'model.head={type(model.head).__name__} does not predict one class per image: class '
            "scores need mmpretrain's ClsHead or a subclass"
        )
    if getattr(model, '_backbone_alone', False):
        raise ValueError(
            f'the checkpoint has only a backbone, so the classifier of {name} would be random: '
            'give the checkpoint from training the classifier'
        )


class _Scores(nn.Module):
    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        logits = self.classifier(pool_features(self.backbone(images)))
        return torch.softmax(at_least_float32(logits), dim=1)


class _ClassifierScores(nn.Module):
    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(at_least_float32(self.model(images, mode='tensor')), dim=1)


OUTPUTS = ('features', 'scores')


def check_output(model: nn.Module, what: str, teacher: bool = False) -> None:
    """Check that a model gives an output.

    Args:
        model (nn.Module): An unwrapped model.
        what (str): 'features' or 'scores'.
        teacher (bool): Check the teacher instead of the student. Defaults to False.

    Raises:
        ValueError: If ``what`` is unknown, or as for :func:`check_features` and
            :func:`check_scores`.
    """
    if what not in OUTPUTS:
        raise ValueError(f'what={what!r} must be one of {", ".join(OUTPUTS)}')
    check = check_features if what == 'features' else check_scores
    check(model, teacher)


def output_network(model: nn.Module, what: str, teacher: bool = False) -> nn.Module:
    """The part of a model that computes an output; it shares the model's weights.

    Args:
        model (nn.Module): A model that passes :func:`check_output`.
        what (str): 'features' (pooled backbone features) or 'scores' (class
            probabilities; rows sum to 1).
        teacher (bool): Use the teacher instead of the student. Defaults to False.

    Returns:
        nn.Module: Maps normalized images (B, 3, H, W), the output of the data
        preprocessor, to (B, C) in at least float32.
    """
    chosen = network(model, teacher)
    if what == 'features':
        return _Features(chosen.backbone)
    if isinstance(model, SimMatch):
        return _Scores(chosen.backbone, chosen.classifier)
    return _ClassifierScores(model)
