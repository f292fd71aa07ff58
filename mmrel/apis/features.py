"""Features of a trained model, with the images that they were made from."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmrel.models.utils.features import batch_features


@dataclass
class ImageFeatures:
    """Images and what the backbone made of them, row by row.

    Args:
        images (Tensor): RGB before the data preprocessor, uint8, (N, 3, H, W).
        features (Tensor): Pooled, float32, (N, C).
        labels (Tensor): Classes, (N,).
    """

    images: Tensor
    features: Tensor
    labels: Tensor


@torch.no_grad()
def view_features(model: BaseModel, batch: dict) -> tuple[Tensor, list[BaseDataElement]]:
    """Pooled backbone features of a batch with one view an image, on the CPU.

    Args:
        model (BaseModel): As for :func:`batch_features`, in evaluation mode.
        batch (dict): From a data loader.

    Returns:
        tuple[Tensor, list[BaseDataElement]]: Features, float32, (B, C), and the
        samples.

    Raises:
        ValueError: If the inputs are not one uint8 tensor.
    """
    view = batch['inputs']
    if not isinstance(view, Tensor) or view.ndim != 4 or view.dtype != torch.uint8:
        raise ValueError(
            "the loader's inputs must be one uint8 tensor (B, 3, H, W): use a pipeline with "
            "one view of fixed size, and collate_fn=dict(type='default_collate')"
        )
    features, samples = batch_features(model, batch)
    return features.float().cpu(), samples


def extract_features(model: BaseModel, loader: Iterable[dict]) -> ImageFeatures:
    """Pooled backbone features of all images of a loader, on the CPU.

    Args:
        model (BaseModel): As for :func:`batch_features`. It is put into
            evaluation mode.
        loader (Iterable[dict]): Batches with one view and one label an image.

    Returns:
        ImageFeatures: In the loader's order.

    Raises:
        ValueError: If there is no batch, or one has no labels or no single
            uint8 view.
    """
    model.eval()
    images, features, labels = [], [], []
    for batch in loader:
        feature, samples = view_features(model, batch)
        if any('gt_label' not in sample for sample in samples):
            raise ValueError('the data set gives no labels: use one with classes')
        images.append(batch['inputs'].cpu())
        features.append(feature)
        labels.append(torch.cat([sample.gt_label for sample in samples]).cpu())
    if not images:
        raise ValueError('the data set is empty')
    return ImageFeatures(torch.cat(images), torch.cat(features), torch.cat(labels))
