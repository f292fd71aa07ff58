"""Build the parts of an algorithm whose widths depend on each other."""

from typing import Any

from torch import nn

from mmrel.models.utils.features import feature_dim
from mmrel.registry import MODELS


def build_backbone_and_neck(backbone: dict, neck: dict) -> tuple[nn.Module, nn.Module]:
    """Build a backbone and a neck that matches its output width.

    Args:
        backbone (dict): The backbone's config.
        neck (dict): The neck's config. ``in_channels`` defaults to the number
            of pooled features of the backbone.

    Returns:
        tuple[nn.Module, nn.Module]: Backbone and neck.
    """
    built = MODELS.build(backbone)
    return built, build_neck(neck, built)


def build_neck(neck: dict, backbone: nn.Module) -> nn.Module:
    """Build a neck that matches the output width of a backbone.

    Args:
        neck (dict): The neck's config, as for :func:`build_backbone_and_neck`.
        backbone (nn.Module): The built backbone.

    Returns:
        nn.Module: The neck.
    """
    neck = dict(neck)
    neck.setdefault('in_channels', None)
    if neck['in_channels'] is None:
        neck['in_channels'] = feature_dim(backbone)
    return MODELS.build(neck)


def build_predictor(predictor: dict | None, neck: nn.Module) -> nn.Module | None:
    """Build a predictor whose input and output have the neck's output width.

    Args:
        predictor (dict, optional): The predictor's config. ``in_channels`` and
            ``out_channels`` default to the neck's output width. None: no
            predictor.
        neck (nn.Module): The built neck.

    Returns:
        nn.Module, optional: The predictor.

    Raises:
        ValueError: If a given width differs from the neck's.
    """
    if predictor is None:
        return None
    predictor = dict(predictor)
    for key in ('in_channels', 'out_channels'):
        width = predictor.setdefault(key, neck.out_channels)
        if width != neck.out_channels:
            raise ValueError(
                f'model.predictor.{key}={width} differs from model.neck.out_channels='
                f'{neck.out_channels}: leave it out, and it follows the neck'
            )
    return MODELS.build(predictor)


def build_memory(memory: dict, neck: nn.Module) -> Any:
    """Build a memory of the neck's embeddings.

    Args:
        memory (dict): The memory's config. ``dim`` defaults to the neck's
            output width.
        neck (nn.Module): The built neck.

    Returns:
        nn.Module: The memory.

    Raises:
        ValueError: If a given ``dim`` differs from the neck's output width, or
            ``dim`` is left out and the neck has no ``out_channels``.
    """
    memory = dict(memory)
    width = getattr(neck, 'out_channels', None)
    dim = memory.setdefault('dim', width)
    if dim is None:
        raise ValueError(f'model.memory.dim must be set: {type(neck).__name__} has no out_channels')
    if width is not None and dim != width:
        raise ValueError(
            f'model.memory.dim={dim} differs from model.neck.out_channels={width}: '
            'leave memory.dim out, and it follows the neck'
        )
    return MODELS.build(memory)
