"""The networks of a space in one, with K weight dictionaries and their codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmrel.models.layers import SimplexNet, StackedLayer, mix
from mmrel.models.supernets.space_identity import SpaceIdentity
from mmrel.models.utils import at_least_float32, pool_features
from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import ArchPath, CodedSpace
from mmrel.utils.checks import check_count

_CODE_SOURCES = ('simplex_net', 'uniform', 'random', 'split')


def random_codes(indices: np.ndarray, k: int) -> np.ndarray:
    """A random point on the simplex for each path, always the same for a path.

    Args:
        indices (np.ndarray): Option indices of N paths, (N, C).
        k (int): K.

    Returns:
        np.ndarray: Uniform on the simplex, (N, K), float64.
    """
    return np.stack([np.random.default_rng(row).dirichlet(np.ones(k)) for row in indices.tolist()])


def split_codes(options: np.ndarray, k: int) -> np.ndarray:
    """One dictionary for all paths with the same option, as few-shot NAS splits a supernet.

    Source: few-shot NAS (arXiv:2006.06863). With more than K options, options K apart
    share a dictionary (ours).

    Args:
        options (np.ndarray): The option of N paths in one choice, (N,).
        k (int): K.

    Returns:
        np.ndarray: One-hot, (N, K), float64.
    """
    return np.eye(k)[options % k]


class KShotNetwork(BaseModel):
    """Base class of :class:`.KShotNAS`: the network, the codes and the evaluation of paths.

    A path runs with ``theta = sum_k code_k theta_k``. Its code is a point on the
    simplex, shared by all its layers. Before a path is scored, its BN statistics are
    computed over a fixed set of batches (:meth:`prepare_path`).

    Args:
        space (dict): See :class:`.KShotNAS`, as for all other arguments.
        backbone (dict, optional): Defaults to None.
        head (dict, optional): Defaults to None.
        k (int): Defaults to 8.
        simplex_net (dict, optional): Defaults to None.
        calibration_batches (int): Defaults to 4.
        val_path (str | dict): Defaults to 'largest'.
        data_preprocessor (dict, optional): Defaults to None.
        init_cfg (dict, optional): Defaults to None.
        code_source (str): Defaults to 'simplex_net'.
        split (str, optional): Defaults to None.

    Raises:
        ValueError: If a number is out of range, ``code_source`` is unknown, ``split``
            is not a choice of the space, or ``val_path`` is not a path of the space.
    """

    def __init__(
        self,
        space: dict,
        backbone: dict | None = None,
        head: dict | None = None,
        k: int = 8,
        simplex_net: dict | None = None,
        calibration_batches: int = 4,
        val_path: str | ArchPath = 'largest',
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        code_source: str = 'simplex_net',
        split: str | None = None,
    ) -> None:
        if code_source not in _CODE_SOURCES:
            raise ValueError(
                f'model.simplex.code_source={code_source!r} must be one of {_CODE_SOURCES}'
            )
        check_count(1, 'model', k=k)
        check_count(0, 'model', calibration_batches=calibration_batches)
        preprocessor = dict(data_preprocessor or {})
        preprocessor.setdefault('type', 'ClsDataPreprocessor')
        super().__init__(data_preprocessor=MODELS.build(preprocessor), init_cfg=init_cfg)
        self.space: CodedSpace = SEARCH_SPACES.build(space)
        self.k = k
        self.calibration_batches = calibration_batches
        backbone = dict(backbone or dict(type='KShotSupernet'), space=self.space, k=k)
        self.backbone = MODELS.build(backbone)
        features = self.space.subnet(self.space.largest())['head']['in_channels']
        self.classifier = StackedLayer(
            k, nn.Linear(features, self.space.num_classes, device='meta')
        )
        self.head = MODELS.build(head or dict(type='ClsHead'))
        self.code_source = code_source
        self.split = self._place_of(split)
        self.simplex_net = None
        if k > 1 and code_source == 'simplex_net':
            self.simplex_net = SimplexNet(k, *self.space.code_sizes, **(simplex_net or {}))
        self.val_path: Any = self.space.largest() if val_path == 'largest' else val_path
        try:
            self.space.validate(self.val_path)
        except ValueError as error:
            raise ValueError(f"model.val_path must be 'largest' or a path: {error}") from error
        # State to resume from. The tensor is up to date only in a state dict: reading it
        # in every step would synchronize with the accelerator.
        self.steps, self.warm = 0, False
        self.register_buffer('progress', torch.zeros(2, dtype=torch.int64))
        self.identity = SpaceIdentity(self.space)
        # The prepared path's key and its BN statistics.
        self._prepared: tuple[str, dict[str, Tensor]] | None = None

    def _place_of(self, split: str | None) -> int | None:
        """The place of the choice whose options have a dictionary each."""
        if (self.code_source == 'split') != (split is not None):
            raise ValueError(
                f"model.simplex.split={split!r} goes with model.simplex.code_source='split', not "
                f'{self.code_source!r}: set both or neither'
            )
        names = list(self.space.choices)
        if split is not None and split not in names:
            raise ValueError(f'model.simplex.split={split!r} must be one of {", ".join(names)}')
        return None if split is None else names.index(split)

    # --- codes and logits -----------------------------------------------------

    def codes(self, indices: np.ndarray) -> Tensor:
        """Codes of N paths: from the code's source, or 1 / K during the warm-up.

        Args:
            indices (np.ndarray): Option indices of the paths, (N, C).

        Returns:
            Tensor: Shape (N, K).
        """
        parameter = self.classifier.get_parameter('bias')
        if self.warm and self.code_source in ('random', 'split'):
            used = self.space.canonical(indices)
            fixed = (
                random_codes(used, self.k)
                if self.split is None
                else split_codes(used[:, self.split], self.k)
            )
            return torch.from_numpy(fixed).to(parameter, non_blocking=True)
        if self.simplex_net is None or not self.warm:
            return parameter.new_full((len(indices), self.k), 1 / self.k)
        architecture, widths = (
            torch.from_numpy(code).to(parameter, non_blocking=True)
            for code in (self.space.architecture_codes(indices), self.space.width_codes(indices))
        )
        return self.simplex_net(architecture, widths)

    @torch.no_grad()
    def code(self, path: ArchPath) -> Tensor:
        """The code of a path, (K,), without gradient."""
        return self.codes(self.space.indices([path]))[0]

    def logits(
        self,
        inputs: Tensor,
        path: ArchPath,
        code: Tensor,
        statistics: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Class scores of a path.

        Args:
            inputs (Tensor): Images, (B, 3, H, W).
            path (ArchPath): A path of the space.
            code (Tensor): Its code, (K,).
            statistics (dict[str, Tensor], optional): Running statistics of its batch
                norms, used in eval mode and updated in training mode. Defaults to
                None: the supernet's.

        Returns:
            Tensor: Shape (B, classes), in at least float32.
        """
        outputs = self.backbone(inputs, path, code, statistics)
        return self._scores(outputs, *self._classifier(code))

    @staticmethod
    def _scores(outputs: tuple[Tensor, ...], weight: Tensor, bias: Tensor) -> Tensor:
        # The loss is computed in full precision even under autocast.
        return at_least_float32(F.linear(pool_features(outputs), weight, bias))

    def _classifier(self, code: Tensor) -> tuple[Tensor, Tensor]:
        parameter = self.classifier.get_parameter
        return mix(parameter('weight'), code), mix(parameter('bias'), code)

    def to(
        self, *args: Any, memory_format: torch.memory_format | None = None, **kwargs: Any
    ) -> 'KShotNetwork':
        """Like torch's, but ignore the memory format: it does not apply to stacked weights."""
        return super().to(*args, **kwargs)

    def train(self, mode: bool = True) -> 'KShotNetwork':
        """Set the mode; training mode discards the prepared path."""
        if mode:
            self._prepared = None
        return super().train(mode)

    # --- evaluation -------------------------------------------------------------

    @torch.no_grad()
    def prepare_path(self, path: ArchPath, batches: Sequence[Tensor] | None) -> None:
        """Compute the path's BN statistics over a fixed set of batches, in one pass.

        They replace those of the previous path. The supernet's running statistics
        do not change.

        Args:
            path (ArchPath): A path of the space.
            batches (Sequence[Tensor], optional): Normalized images, (B, 3, H, W)
                each. None: use the running statistics.
        """
        self._prepared = None
        if batches:
            statistics = self.backbone.calibrate(path, self.code(path), batches)
            self._prepared = self.space.key(path), statistics

    def _statistics(self, path: ArchPath) -> dict[str, Tensor] | None:
        if self._prepared is not None and self._prepared[0] == self.space.key(path):
            return self._prepared[1]
        return None

    def path_logits(self, inputs: Tensor, path: ArchPath) -> Tensor:
        """Class scores of a path, with its own BN statistics if it was prepared.

        Args:
            inputs (Tensor): Normalized images, (B, 3, H, W).
            path (ArchPath): A path of the space.

        Returns:
            Tensor: Shape (1, B, classes).
        """
        return self.logits(inputs, path, self.code(path), self._statistics(path)).unsqueeze(0)

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Classify images with ``val_path``.

        Args:
            inputs (Tensor): Shape (B, 3, H, W).
            data_samples (list[DataSample], optional): Samples to fill in.
                Defaults to None: new ones.

        Returns:
            list[DataSample]: With ``pred_score`` (C,) and ``pred_label``.
        """
        return self.head.predict((self.path_logits(inputs, self.val_path)[0],), data_samples)

    # --- state ------------------------------------------------------------------

    @torch.no_grad()
    def subnet_state_dict(self, path: ArchPath, side: str = 'left') -> dict[str, Tensor]:
        """Weights of a path's stand-alone network, mixed by its code and sliced.

        Args:
            path (ArchPath): A path of the space.
            side (str): Not used: weights are always sliced from the left.

        Returns:
            dict[str, Tensor]: State dict for the network of ``space.subnet(path)``.
            BN statistics are the path's if it was prepared, else the running ones.
        """
        code = self.code(path)
        tensors = self.backbone.subnet_state_dict(path, code, self._statistics(path))
        state = {f'backbone.{key}': value for key, value in tensors.items()}
        state['head.fc.weight'], state['head.fc.bias'] = (p.clone() for p in self._classifier(code))
        return state

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.progress.copy_(torch.tensor([self.steps, self.warm]))
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        if f'{prefix}progress' in state_dict:
            self.steps, warm = state_dict[f'{prefix}progress'].tolist()
            self.warm = bool(warm)
        self._prepared = None
