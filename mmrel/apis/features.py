"""Features of a trained model, with the images that they were made from."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmrel.models.utils.features import batch_features


@dataclass
class ImageFeatures:
    """Images and what the backbone made of them, row by row.

    Args:
        images (Tensor): RGB before the data preprocessor, uint8, (N, 3, H, W).
        features (Tensor): Pooled, float32, (N, C).
        labels (Tensor, optional): Classes, (N,); None for images without.
    """

    images: Tensor
    features: Tensor
    labels: Tensor | None


def check_view(batch: dict) -> None:
    """Whether a batch has one view an image.

    Args:
        batch (dict): From a data loader.

    Raises:
        ValueError: If the inputs are not one uint8 tensor.
    """
    view = batch['inputs']
    if not isinstance(view, Tensor) or view.ndim != 4 or view.dtype != torch.uint8:
        raise ValueError(
            "the loader's inputs must be one uint8 tensor (B, 3, H, W): use a pipeline with "
            "one view of fixed size, and collate_fn=dict(type='default_collate')"
        )


@torch.no_grad()
def extract_features(
    model: BaseModel, loader: Iterable[dict], labeled: bool = True, teacher: bool = False
) -> ImageFeatures:
    """Pooled backbone features of all images of a loader, on the CPU.

    Args:
        model (BaseModel): As for :func:`batch_features`. It is put into
            evaluation mode.
        loader (Iterable[dict]): Batches with one view and one label an image.
        labeled (bool): Whether the labels are needed. Defaults to True.
        teacher (bool): Features of the teacher. Defaults to False: the
            student's.

    Returns:
        ImageFeatures: In the loader's order.

    Raises:
        ValueError: If there is no batch, one has no labels or no single uint8
            view, or there is no teacher.
    """
    model.eval()
    images, features, labels = [], [], []
    for batch in loader:
        check_view(batch)
        feature, samples = batch_features(model, batch, teacher)
        images.append(batch['inputs'].cpu())
        features.append(feature.float().cpu())
        if not labeled:
            continue
        if any('gt_label' not in sample for sample in samples):
            raise ValueError('the data set gives no labels: use one with classes')
        labels.append(torch.cat([sample.gt_label for sample in samples]).cpu())
    if not images:
        raise ValueError('the data set is empty')
    return ImageFeatures(
        torch.cat(images), torch.cat(features), torch.cat(labels) if labeled else None
    )
