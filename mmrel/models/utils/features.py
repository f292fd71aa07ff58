"""Reduce a backbone's output to one vector per image."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn


def pool_features(outputs: Tensor | Sequence[Tensor]) -> Tensor:
    """Reduce a backbone's output to one vector per image.

    Args:
        outputs (Tensor | Sequence[Tensor]): The backbone's output: a tensor, or
            a sequence whose last entry is used. Feature maps (B, C, H, W) are
            averaged over space; vectors (B, C) pass through.

    Returns:
        Tensor: Features, shape (B, C).

    Raises:
        ValueError: If the output is neither a map nor a vector per image.
    """
    x = outputs if isinstance(outputs, Tensor) else outputs[-1]
    if x.ndim == 4:
        return x.mean(dim=(2, 3))
    if x.ndim == 2:
        return x
    raise ValueError(
        f'the backbone returned a tensor of shape {tuple(x.shape)}; expected (B, C, H, W) '
        "or (B, C). For a vision transformer set backbone.out_type='cls_token'."
    )


def network(model: nn.Module, teacher: bool = False) -> Any:
    """The network to extract features with: the model itself or its teacher.

    Args:
        model (nn.Module): An unwrapped model with ``backbone``.
        teacher (bool): Use the momentum teacher. Defaults to False.

    Returns:
        nn.Module: A module with ``backbone``; pending teacher updates are applied.

    Raises:
        ValueError: If the model has no teacher.
    """
    if not teacher:
        return model
    found = getattr(model, 'teacher', None)
    if found is None:
        raise ValueError(
            f'{type(model).__name__} has no teacher: leave out teacher=True (--teacher); ReSSL '
            'and SimMatch have one'
        )
    found.catch_up()
    return found


def batch_features(
    model: BaseModel, batch: dict, teachers: Sequence[bool] = (False,)
) -> tuple[list[Tensor], list[BaseDataElement]]:
    """Pooled backbone features of one batch, from one or more networks.

    Args:
        model (BaseModel): An unwrapped model with ``data_preprocessor`` and
            ``backbone``.
        batch (dict): A batch from a data loader.
        teachers (Sequence[bool]): For each network, ``teacher`` of :func:`network`.
            Defaults to only the student's.

    Returns:
        tuple[list[Tensor], list[BaseDataElement]]: Features (B, C) of each network, and
        the samples.
    """
    data = model.data_preprocessor(batch, False)
    features = [
        pool_features(network(model, teacher).backbone(data['inputs'])) for teacher in teachers
    ]
    return features, data['data_samples']


@torch.no_grad()
def feature_dim(backbone: nn.Module) -> int:
    """The number of pooled features of a backbone, from one forward pass.

    Args:
        backbone (nn.Module): Takes (B, 3, H, W). The test image has its
            ``img_size``, if any (some vision transformers accept no other size).

    Returns:
        int: C of the pooled features (B, C).
    """
    size = getattr(backbone, 'img_size', 64)
    height, width = (size, size) if isinstance(size, int) else tuple(size)[:2]
    parameter = next(backbone.parameters())
    image = parameter.new_zeros(1, 3, height, width)
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    try:
        return pool_features(backbone(image)).shape[1]
    finally:
        # One by one: train() would also switch frozen modules to training mode.
        for module, training in modes.items():
            module.training = training
