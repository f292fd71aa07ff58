"""What a search needs from a supernet, and a check for it."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from .space import ArchPath, SearchSpace

__all__ = ['SearchableModel', 'check_searchable']


@runtime_checkable
class SearchableModel(Protocol):
    """A supernet whose paths a search can score.

    Besides these members, a model may have:

    * ``prepare_path(path, batches)`` and ``calibration_batches``, if it prepares a path
      itself, for example computes its BN statistics. ``batches`` holds
      ``calibration_batches`` batches of normalized training images (B, 3, H, W). Without
      ``prepare_path``, the search recomputes the statistics of the model's batch norms
      before it scores a path.
    * ``subnet_state_dict(path, side='left')``: the weights of the path's stand-alone
      network, to extract it.
    * ``val_path``: the path with which ``tools/train.py`` validates.
    """

    space: SearchSpace
    data_preprocessor: nn.Module

    def path_logits(self, inputs: Tensor, path: ArchPath) -> Tensor:
        """Class scores of a path for normalized images (B, 3, H, W), (sides, B, classes).

        A supernet that runs a path on several slices of its weights has several sides;
        a score is the mean over them. Other supernets have one side.
        """
        ...


@torch.inference_mode()
def check_searchable(model: Any, images: Sequence[Tensor]) -> None:
    """Check that a model is a :class:`SearchableModel`, by scoring a random path.

    Args:
        model (nn.Module): The model.
        images (Sequence[Tensor]): A few images before the data preprocessor, each
            (3, H, W), of one size.

    Raises:
        TypeError: If the model lacks a member, or ``path_logits`` returns another shape.
    """
    name = type(model).__name__
    for member in ('space', 'path_logits', 'data_preprocessor'):
        if not hasattr(model, member):
            raise TypeError(
                f'{name} has no {member}: a search needs a supernet '
                '(mmrel.spaces.SearchableModel, docs/write_your_own_space.md)'
            )
    space: Any = model.space
    if not isinstance(space, SearchSpace):
        raise TypeError(f'{name}.space is a {type(space).__name__}, not a SearchSpace')
    if hasattr(model, 'prepare_path') and not hasattr(model, 'calibration_batches'):
        raise TypeError(
            f'{name} has prepare_path but no calibration_batches: set it to the number of batches '
            'that prepare_path needs, or to 0'
        )
    path = space.sample(np.random.default_rng(0))
    training = model.training
    model.eval()
    batch = dict(inputs=torch.stack(list(images)))
    logits = model.path_logits(model.data_preprocessor(batch, False)['inputs'], path)
    model.train(training)
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else None
    if shape is None or len(shape) != 3 or shape[1] != len(images):
        returned = f'shape {shape}' if shape else f'a {type(logits).__name__}'
        raise TypeError(
            f'{name}.path_logits returned {returned} for {len(images)} images, but it must return '
            f'(sides, {len(images)}, classes): use logits[None] for a supernet with one side'
        )
