"""What a trained model gives for images: features of a backbone, scores of a classifier."""

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from mmrel.models.algorithms import SimMatch
from mmrel.models.utils.features import network, pool_features
from mmrel.models.utils.precision import at_least_float32


def _check_alone(model: nn.Module, teacher: bool) -> None:
    """Refuse a supernet, a teacher that is not there, and one that was not loaded."""
    name = type(model).__name__
    if hasattr(model, 'path_logits'):
        raise ValueError(
            f'{name} is a supernet: its weights belong to all paths of a space. Use the network of '
            'one path: retrain.py of a search (docs/search.md), or model.subnet_state_dict'
        )
    network(model, teacher)
    if teacher and getattr(model, '_backbone_alone', False):
        raise ValueError(
            'the checkpoint has only a backbone, and the teacher would be random: give the '
            'training checkpoint, or leave out teacher=True (--teacher) if the file is '
            'a published teacher'
        )


def check_features(model: nn.Module, teacher: bool = False) -> None:
    """Whether a model gives features.

    Args:
        model (nn.Module): No wrapper around it.
        teacher (bool): The teacher's are asked for. Defaults to False.

    Raises:
        ValueError: If it has no backbone or no teacher, is a supernet, or the
            weights that were loaded have no teacher.
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
    """Whether a model gives class scores.

    Args:
        model (nn.Module): No wrapper around it.
        teacher (bool): The teacher's are asked for. Defaults to False.

    Raises:
        ValueError: If it has no classifier, as :func:`check_features`, or the
            weights that were loaded have no classifier.
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
            f'model.head={type(model.head).__name__} does not choose one class of each image: '
            "class scores need mmpretrain's ClsHead or a head derived from it"
        )
    if getattr(model, '_backbone_alone', False):
        raise ValueError(
            f'the checkpoint has only a backbone, and the classifier of {name} would be random: '
            'give the checkpoint of the training of the classifier'
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
    """Whether a model gives an output.

    Args:
        model (nn.Module): No wrapper around it.
        what (str): 'features' or 'scores'.
        teacher (bool): The teacher's is asked for. Defaults to False.

    Raises:
        ValueError: As :func:`check_features` and :func:`check_scores`.
    """
    if what not in OUTPUTS:
        raise ValueError(f'what={what!r} must be one of {", ".join(OUTPUTS)}')
    check = check_features if what == 'features' else check_scores
    check(model, teacher)


def output_network(model: nn.Module, what: str, teacher: bool = False) -> nn.Module:
    """The part of a model that computes an output, and no more; its weights are the model's.

    Args:
        model (nn.Module): As :func:`check_output` allows.
        what (str): 'features' (pooled, of the backbone) or 'scores' (class
            probabilities, rows sum to 1).
        teacher (bool): The teacher's. Defaults to False: the student's.

    Returns:
        nn.Module: From normalized images (B, 3, H, W), what the data
        preprocessor gives, to (B, C), in at least float32.
    """
    chosen = network(model, teacher)
    if what == 'features':
        return _Features(chosen.backbone)
    if isinstance(model, SimMatch):
        return _Scores(chosen.backbone, chosen.classifier)
    return _ClassifierScores(model)
