"""A small space and a two-sided supernet of linear layers, for tests of the search.

Real images, real accuracies; it keeps the interface that the search loop uses.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModel, BaseModule
from torch import Tensor, nn

from mmrel.registry import MODELS, SEARCH_COSTS, SEARCH_SPACES
from mmrel.spaces import ArchPath, SearchSpace

_POOLED = 48  # 3 x 4 x 4


@SEARCH_SPACES.register_module()
class ToySpace(SearchSpace):
    """Widths of two hidden layers, the second of which may be absent.

    Args:
        widths (Sequence[int]): Of both layers.
        num_classes (int): Outputs.
    """

    def __init__(self, widths: Sequence[int] = (2, 4, 6, 8, 10, 12, 14, 16), num_classes: int = 3):
        self.num_classes = num_classes
        super().__init__(dict(second=('yes', 'no'), width1=tuple(widths), width2=tuple(widths)))
        self._widths = np.array(widths)

    def used(self, indices: np.ndarray) -> np.ndarray:
        used = super().used(indices)
        used[:, 2] = indices[:, 0] == 0
        return used

    def _layers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._widths[indices[:, 1]], self._widths[indices[:, 2]], indices[:, 0] == 0

    def flops(self, indices: np.ndarray) -> np.ndarray:
        first, second, there = self._layers(indices)
        last = np.where(there, second, first)
        return _POOLED * first + there * first * second + last * self.num_classes

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        first, second, there = self._layers(indices)
        return self.flops(indices) + first + there * second + self.num_classes

    def subnet(self, path: ArchPath) -> dict:
        self.validate(path)
        widths = [path['width1']] + [path['width2']] * (path['second'] == 'yes')
        return dict(
            type='ImageClassifier',
            backbone=dict(type='ToyMLP', widths=widths),
            head=dict(type='LinearClsHead', in_channels=widths[-1], num_classes=self.num_classes),
        )

    def describe(self) -> dict:
        return dict(super().describe(), num_classes=self.num_classes)


@SEARCH_COSTS.register_module()
class ToyFLOPs:
    name = 'flops'

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        return space.flops(indices)


@MODELS.register_module()
class ToyMLP(BaseModule):
    """Pooled pixels through linear layers with ReLU.

    Args:
        widths (Sequence[int]): Of the layers.
        dropout (float): Of the output; no architecture, a base config may set it.
    """

    def __init__(self, widths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [_POOLED, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.dropout = dropout

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = F.adaptive_avg_pool2d(x, 4).flatten(1)
        for layer in self.layers:
            x = layer(x).relu()
        return (F.dropout(x, self.dropout, self.training),)


@MODELS.register_module()
class ToySupernet(BaseModel):
    """The largest network; a path is its left and its right slice.

    Args:
        space (dict): The space.
        calibration_batches (int): Batches whose mean the model wants to know.
    """

    def __init__(
        self, space: dict, calibration_batches: int = 0, data_preprocessor: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor)
        self.space = SEARCH_SPACES.build(space)
        self.calibration_batches = calibration_batches
        widest = max(self.space.choices['width1'])
        self.first = nn.Linear(_POOLED, widest)
        self.second = nn.Linear(widest, widest)
        self.head = nn.Linear(widest, self.space.num_classes)
        self.prepared: list[float] = []
        code = torch.frombuffer(bytearray(self.space.fingerprint().encode()), dtype=torch.uint8)
        self.register_buffer('fingerprint', code.clone())
        self.register_load_state_dict_pre_hook(self._check_space)

    @staticmethod
    def _check_space(module: nn.Module, state: dict, prefix: str, *_: object) -> None:
        given = state.get(prefix + 'fingerprint')
        if given is not None and not torch.equal(given.cpu(), module.fingerprint.cpu()):
            raise ValueError('the checkpoint is of another space: choices differ')

    def _weights(self, path: ArchPath, side: str) -> dict[str, Tensor]:
        def cut(size: int) -> slice:
            return slice(0, size) if side == 'left' else slice(-size, None)

        w1, w2 = path['width1'], path['width2']
        weights = {
            'backbone.layers.0.weight': self.first.weight[cut(w1)],
            'backbone.layers.0.bias': self.first.bias[cut(w1)],
        }
        last = w1
        if path['second'] == 'yes':
            weights['backbone.layers.1.weight'] = self.second.weight[cut(w2), cut(w1)]
            weights['backbone.layers.1.bias'] = self.second.bias[cut(w2)]
            last = w2
        weights['head.fc.weight'] = self.head.weight[:, cut(last)]
        weights['head.fc.bias'] = self.head.bias
        return weights

    def subnet_state_dict(self, path: ArchPath, side: str = 'left') -> dict[str, Tensor]:
        return {k: v.detach().clone() for k, v in self._weights(path, side).items()}

    def prepare_path(self, path: ArchPath, batches: list[Tensor] | None) -> None:
        if batches is not None:
            self.prepared = [batch.mean().item() for batch in batches]
            print_log(f'prepared with {len(batches)} batches', logger='current')

    def path_logits(self, inputs: Tensor, path: ArchPath) -> Tensor:
        pooled = F.adaptive_avg_pool2d(inputs, 4).flatten(1)
        sides = []
        for side in ('left', 'right'):
            w = self._weights(path, side)
            x = F.linear(pooled, w['backbone.layers.0.weight'], w['backbone.layers.0.bias']).relu()
            if path['second'] == 'yes':
                x = F.linear(x, w['backbone.layers.1.weight'], w['backbone.layers.1.bias']).relu()
            sides.append(F.linear(x, w['head.fc.weight'], w['head.fc.bias']))
        return torch.stack(sides)

    def forward(self, inputs: Tensor, data_samples: list, mode: str = 'loss') -> dict | list:
        path = self.space.paths(np.array([[0, -1, -1]]) % len(self.space.choices['width1']))[0]
        if mode == 'loss':
            step = int(torch.randint(2**31, ()))
            path = self.space.sample(np.random.default_rng(step))
        logits = self.path_logits(inputs, path).sum(0)
        if mode == 'loss':
            labels = torch.cat([sample.gt_label for sample in data_samples]).to(logits.device)
            return dict(loss=F.cross_entropy(logits, labels))
        for sample, score in zip(data_samples, logits.softmax(1), strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return data_samples


@MODELS.register_module()
class FlatSupernet(ToySupernet):
    """Forgets the axis of the sides, which no search accepts."""

    def path_logits(self, inputs: Tensor, path: ArchPath) -> Tensor:
        return super().path_logits(inputs, path)[0]
