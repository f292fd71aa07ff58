"""Position embeddings of another image size, for tests."""

import cv2
import torch
from torch import Tensor


def resized_positions(
    positions: Tensor, source: tuple[int, int], target: tuple[int, int]
) -> Tensor:
    """OpenCV's cubic interpolation; the class token's position is unchanged."""
    token, maps = positions[:, :1], positions[0, 1:].unflatten(0, source)
    size = target[::-1]
    maps = cv2.resize(maps.double().numpy(), size, interpolation=cv2.INTER_CUBIC)
    return torch.cat([token, torch.from_numpy(maps).flatten(0, 1)[None].float()], dim=1)
