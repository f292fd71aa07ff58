"""What a search accepts as a supernet."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmrel.spaces import NASBench201Space, SearchableModel, check_searchable

IMAGES = [torch.zeros(3, 8, 8, dtype=torch.uint8)] * 3


class _Supernet(nn.Module):
    """Returns logits of a given shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.space, self.shape = NASBench201Space(num_classes=4), shape
        self.seen: list[tuple] = []

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        return dict(inputs=batch['inputs'].float())

    def path_logits(self, inputs: Tensor, path: dict) -> Tensor:
        self.space.validate(path)
        self.seen.append((tuple(inputs.shape), inputs.dtype, self.training))
        return torch.zeros(self.shape)


@pytest.mark.parametrize('sides', [1, 2, 3])
def test_one_or_several_sides_pass_and_the_mode_returns(sides: int) -> None:
    model = _Supernet(sides, 3, 4).train()
    check_searchable(model, IMAGES)
    assert isinstance(model, SearchableModel)
    assert model.training
    assert model.seen == [((3, 3, 8, 8), torch.float32, False)]


@pytest.mark.parametrize('shape', [(3, 4), (3, 1, 4), (12,), (1, 1, 3, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=r'returned shape .* must return \(sides, 3, classes\)'):
        check_searchable(_Supernet(*shape), IMAGES)


def test_a_tuple_of_logits_is_refused() -> None:
    model = _Supernet(1, 3, 4)
    model.path_logits = lambda inputs, path: (torch.zeros(3, 4),)
    with pytest.raises(TypeError, match='returned a tuple for 3 images'):
        check_searchable(model, IMAGES)


def test_missing_members_are_named() -> None:
    with pytest.raises(TypeError, match=r'Linear has no space: .*SearchableModel'):
        check_searchable(nn.Linear(1, 1), IMAGES)
    model = _Supernet(1, 3, 4)
    model.space = dict(type='NASBench201Space')
    with pytest.raises(TypeError, match=r'_Supernet.space is a dict, not a SearchSpace'):
        check_searchable(model, IMAGES)
    model = _Supernet(1, 3, 4)
    model.prepare_path = lambda path, batches: None
    with pytest.raises(TypeError, match='has prepare_path but no calibration_batches'):
        check_searchable(model, IMAGES)


def test_the_checked_path_does_not_depend_on_numpys_global_state() -> None:
    paths = []
    for seed in (0, 1):
        np.random.seed(seed)
        model = _Supernet(1, 3, 4)
        model.path_logits = lambda inputs, path: paths.append(path) or torch.zeros(1, 3, 4)
        check_searchable(model, IMAGES)
    assert paths[0] == paths[1]
