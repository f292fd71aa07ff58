"""K-shot NAS: a supernet with K weight dictionaries and a simplex-net that mixes them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce_params
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmrel.models.layers import SimplexNet, StackedLayer, mix
from mmrel.models.utils import SpaceIdentity, Warmup, at_least_float32, pool_features
from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import ArchPath, CodedSpace
from mmrel.utils.checks import check_at_least
from mmrel.utils.renamed import former_arguments

WEIGHTS, SIMPLEX = 'weights', 'simplex_net'
_FIVE_EPOCHS = MappingProxyType(dict(epochs=5))


@MODELS.register_module()
@former_arguments(regulariser='regularizer')
class KShotNAS(BaseModel):
    """Train all networks of a space at once, each with its own mixture of K weights.

    A path runs with ``theta = sum_k code_k theta_k``. Its code is a point on the
    simplex, shared by all its layers. During the warm-up every code is 1 / K.
    Afterwards each iteration makes two steps on the same batch. The first trains
    the weights on one random path with a fixed code. The second trains the
    simplex-net with fixed weights, on m random paths that each see a part of the
    batch. With K = 1 there is no simplex-net and no second step: this is the
    one-shot supernet.
    Source: K-shot NAS (arXiv:2106.06442).

    Our choices: both steps use the same batch, so the number of weight steps does
    not depend on K. The simplex-net's step uses the BN statistics of its batch.
    Before a path is scored, its BN statistics are computed over a fixed set of
    batches (:meth:`prepare_path`).

    Args:
        space (dict): Config of a :class:`.CodedSpace`.
        backbone (dict, optional): Config of the supernet; ``space`` and ``k`` are
            filled in. Defaults to None: :class:`.KShotSupernet`.
        head (dict): Config of the loss on logits and labels. Defaults to
            cross entropy (mmpretrain's ``ClsHead``).
        k (int): K. Defaults to 8.
        simplex_net (dict, optional): Arguments of :class:`.SimplexNet`:
            ``hidden_channels``. Defaults to None: its defaults.
        regularizer (dict, optional): Config of a loss on the m codes and the
            mean widths of their paths. Defaults to None: no such loss.
        warmup (dict, optional): Length of the warm-up, ``epochs`` or ``iters``
            (:class:`.Warmup`). None: no warm-up. Defaults to 5 epochs.
        parts (int): m, number of paths per step of the simplex-net. Defaults to
            16.
        simplex_interval (int): Number of weight steps per step of the
            simplex-net. Defaults to 1: the two alternate.
        calibration_batches (int): Number of batches that a search passes to
            :meth:`prepare_path`. Defaults to 4.
        val_path (str | dict): Path for :meth:`predict`: 'largest' or a path.
        seed (int): Seed for the random paths. Defaults to 0.
        data_preprocessor (dict, optional): As in mmpretrain's ``ImageClassifier``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``;
            ``dict(type='OneShotInit', checkpoint=...)`` starts from a trained
            supernet with K = 1.
        warmup_epochs (float, optional): Former name of ``warmup.epochs``.

    Raises:
        ValueError: If a number is out of range, a regularizer is set for a space
            without width choices, or ``val_path`` is not a path of the space.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('warmup.epochs', 'warmup.iters')

    def __init__(
        self,
        space: dict,
        backbone: dict | None = None,
        head: dict | None = None,
        k: int = 8,
        simplex_net: dict | None = None,
        regularizer: dict | None = None,
        warmup: Mapping | None = _FIVE_EPOCHS,
        parts: int = 16,
        simplex_interval: int = 1,
        calibration_batches: int = 4,
        val_path: str | ArchPath = 'largest',
        seed: int = 0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        warmup_epochs: float | None = None,
    ) -> None:
        check_at_least(1, 'model', k=k, parts=parts, simplex_interval=simplex_interval)
        check_at_least(0, 'model', calibration_batches=calibration_batches, seed=seed)
        preprocessor = dict(data_preprocessor or {})
        preprocessor.setdefault('type', 'ClsDataPreprocessor')
        super().__init__(data_preprocessor=MODELS.build(preprocessor), init_cfg=init_cfg)
        self.space: CodedSpace = SEARCH_SPACES.build(space)
        self.k, self.parts, self.seed = k, parts, seed
        self.warmup = Warmup.from_config('model.warmup', warmup, epochs=warmup_epochs)
        self.simplex_interval = simplex_interval
        self.calibration_batches = calibration_batches
        backbone = dict(backbone or dict(type='KShotSupernet'), space=self.space, k=k)
        self.backbone = MODELS.build(backbone)
        features = self.space.subnet(self.space.largest())['head']['in_channels']
        self.classifier = StackedLayer(
            k, nn.Linear(features, self.space.num_classes, device='meta')
        )
        self.head = MODELS.build(head or dict(type='ClsHead'))
        self.simplex_net = self.regularizer = None
        if k > 1:
            self.simplex_net = SimplexNet(k, *self.space.code_sizes, **(simplex_net or {}))
        if regularizer is not None:
            if not self.space.width_choices:
                raise ValueError(
                    'model.regularizer compares widths, but the space has no width choices: '
                    'set model.regularizer=None or model.space.widths'
                )
            self.regularizer = MODELS.build(regularizer)
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

    # --- paths and codes ------------------------------------------------------

    def _draw(self, number: int, step_kind: int) -> np.ndarray:
        """Random paths of this step, the same on every rank, (number, C)."""
        generator = np.random.default_rng((self.seed, self.steps, step_kind))
        return self.space.sample_indices(number, generator)

    def codes(self, indices: np.ndarray) -> Tensor:
        """Codes of N paths: from the simplex-net, or 1 / K during the warm-up.

        Args:
            indices (np.ndarray): Option indices of the paths, (N, C).

        Returns:
            Tensor: Shape (N, K).
        """
        parameter = self.classifier.get_parameter('bias')
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
        feature = pool_features(self.backbone(inputs, path, code, statistics))
        weight, bias = self._classifier(code)
        # The loss is computed in full precision even under autocast.
        return at_least_float32(F.linear(feature, weight, bias))

    def _classifier(self, code: Tensor) -> tuple[Tensor, Tensor]:
        parameter = self.classifier.get_parameter
        return mix(parameter('weight'), code), mix(parameter('bias'), code)

    # --- training -------------------------------------------------------------

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of this step's random path; its code gets no gradient.

        Args:
            inputs (Tensor): Images, (B, 3, H, W).
            data_samples (list[DataSample]): The samples, with labels.

        Returns:
            dict[str, Tensor]: What the head returns.
        """
        if self.k > 1:
            self.warmup.check_end('the simplex-net would never be trained')
        self.warm = self.warmup.over()
        path = self.space.paths(self._draw(1, 0))[0]
        logits = self.logits(inputs, path, self.code(path))
        return self.head.loss((logits,), data_samples)

    def simplex_loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of m random paths with their codes, each on a part of the batch.

        Args:
            inputs (Tensor): Images, (B, 3, H, W), split into m parts whose sizes
                differ by at most one.
            data_samples (list[DataSample]): The samples, with labels.

        Returns:
            dict[str, Tensor]: ``loss_simplex``; ``loss_code`` if there is a
            regularizer; for the log, ``code_mean/1`` to ``code_mean/K`` over the m
            codes, and ``code_spread``, their standard deviation averaged over K.

        Raises:
            ValueError: If the batch has fewer than m images.
        """
        self._check_parts(len(inputs))
        indices = self._draw(self.parts, 1)
        codes = self.codes(indices)
        losses, start = [], 0
        for path, code, images in zip(
            self.space.paths(indices), codes, inputs.tensor_split(self.parts), strict=True
        ):
            samples = data_samples[start : start + len(images)]
            start += len(images)
            # This step must not update the statistics of the supernet.
            logits = self.logits(images, path, code, self.backbone.fresh_statistics(path))
            loss, _ = self.parse_losses(self.head.loss((logits,), samples))
            losses.append(loss * (len(images) / len(inputs)))
        result = dict(loss_simplex=torch.stack(losses).sum())
        if self.regularizer is not None:
            widths = torch.from_numpy(self.space.mean_width(indices)).to(codes, non_blocking=True)
            result['loss_code'] = self.regularizer(codes, widths)
        with torch.no_grad():
            result.update({f'code_mean/{i + 1}': m for i, m in enumerate(codes.mean(0).unbind())})
            result['code_spread'] = codes.std(0, correction=0).mean()
        return result

    def _check_parts(self, size: int) -> None:
        if size < self.parts:
            raise ValueError(
                f'a batch of {size} cannot be split into model.parts={self.parts} parts: '
                'raise train_dataloader.batch_size or lower model.parts'
            )

    @staticmethod
    def _update(
        wrapper: OptimWrapper, loss: Tensor, parameters: Sequence[nn.Parameter] | None = None
    ) -> None:
        """Compute gradients for these parameters only, average them over ranks, and step.

        Parameters that the path does not use have no gradient on any rank. They
        are neither communicated nor updated.
        """
        wrapper.backward(wrapper.scale_loss(loss), inputs=parameters)
        if wrapper.should_update():
            groups = wrapper.optimizer.param_groups
            grads = [p.grad for group in groups for p in group['params'] if p.grad is not None]
            all_reduce_params(grads, op='mean')
            wrapper.step()
            wrapper.zero_grad()

    def train_step(
        self, data: dict | tuple | list, optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """Train the weights, then the simplex-net if its step is due.

        Args:
            data (dict | tuple | list): A batch.
            optim_wrapper (OptimWrapperDict): ``weights`` and, for K > 1,
                ``simplex_net``.

        Returns:
            dict[str, Tensor]: Values to log.

        Raises:
            TypeError: If ``optim_wrapper`` is not an ``OptimWrapperDict``.
        """
        if not isinstance(optim_wrapper, OptimWrapperDict):
            raise TypeError(
                'KShotNAS needs two optimizers: set '
                "optim_wrapper.constructor='KShotOptimWrapperConstructor'"
            )
        batch = self.data_preprocessor(data, True)
        if self.simplex_net is not None:
            self._check_parts(len(batch['inputs']))  # fail now, not after the warm-up
        wrapper = optim_wrapper[WEIGHTS]
        with wrapper.optim_context(self):
            losses = self(**batch, mode='loss')
        loss, log = self.parse_losses(losses)
        self._update(wrapper, loss)
        due = (self.steps + 1) % self.simplex_interval == 0
        if self.simplex_net is not None and self.warm and due:
            wrapper = optim_wrapper[SIMPLEX]
            with wrapper.optim_context(self):
                losses = self.simplex_loss(batch['inputs'], batch['data_samples'])
            loss, simplex_log = self.parse_losses(losses)
            self._update(wrapper, loss, list(self.simplex_net.parameters()))
            log.update((key, value) for key, value in simplex_log.items() if key != 'loss')
        self.steps += 1
        return log

    def to(
        self, *args: Any, memory_format: torch.memory_format | None = None, **kwargs: Any
    ) -> 'KShotNAS':
        """Like torch's, but ignore the memory format: it does not apply to stacked weights."""
        return super().to(*args, **kwargs)

    def train(self, mode: bool = True) -> 'KShotNAS':
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

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[DataSample] | Tensor:
        """Dispatch to the method of a mode, as mmengine expects.

        Args:
            inputs (Tensor): Images, (B, 3, H, W).
            data_samples (list[DataSample], optional): Samples for the mode's
                method.
            mode (str): 'loss', 'predict', or 'tensor' (the scores of
                ``val_path``). Defaults to 'tensor'.

        Returns:
            dict | list | Tensor: What the mode's method returns.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, cast(list[DataSample], data_samples))
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.path_logits(inputs, self.val_path)[0]
        raise ValueError(f"mode={mode!r} must be 'loss', 'predict' or 'tensor'")

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
