"""Features of a trained model, together with their images."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmrel.models.utils.features import batch_features


@dataclass
class ImageFeatures:
    """Images and their features, row by row.

    Args:
        images (Tensor): RGB before the data preprocessor, uint8, (N, 3, H, W).
        features (Tensor): Pooled features, float32, (N, C).
        labels (Tensor, optional): Classes, (N,); None for images without classes.
    """

    images: Tensor
    features: Tensor
    labels: Tensor | None


def check_view(batch: dict) -> None:
    """Check that a batch has one view per image.

    Args:
        batch (dict): A batch from a data loader.

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
        model (BaseModel): As for :func:`batch_features`. It is set to eval mode.
        loader (Iterable[dict]): Batches with one view and one label per image.
        labeled (bool): Whether to read the labels. Defaults to True.
        teacher (bool): Use the teacher instead of the student. Defaults to False.

    Returns:
        ImageFeatures: In the loader's order.

    Raises:
        ValueError: If there are no batches, a batch lacks labels or a single uint8
            view, or there is no teacher.
    """
    model.eval()
    images, features, labels = [], [], []
    for batch in loader:
        check_view(batch)
        (feature,), samples = batch_features(model, batch, [teacher])
        images.append(batch['inputs'].cpu())
        features.append(feature.float().cpu())
        if not labeled:
            continue
        if any('gt_label' not in sample for sample in samples):
            raise ValueError('the dataset has no labels: use one with classes')
        labels.append(torch.cat([sample.gt_label for sample in samples]).cpu())
    if not images:
        raise ValueError('the dataset is empty')
    return ImageFeatures(
        torch.cat(images), torch.cat(features), torch.cat(labels) if labeled else None
    )
