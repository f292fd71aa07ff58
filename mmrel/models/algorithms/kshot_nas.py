"""K-shot NAS: a supernet with K weight dictionaries and a simplex-net that mixes them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

import numpy as np
import torch
from mmengine.dist import all_reduce_params
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmrel.models.supernets.path_sampler import fair_indices
from mmrel.models.utils import Warmup
from mmrel.registry import MODELS
from mmrel.spaces import ArchPath
from mmrel.utils.checks import check_count, settings_of
from mmrel.utils.renamed import former_arguments

from .kshot_network import KShotNetwork

WEIGHTS, SIMPLEX = 'weights', 'simplex_net'
_FIVE_EPOCHS = MappingProxyType(dict(epochs=5))


@MODELS.register_module()
@former_arguments(
    simplex_net='simplex.net',
    parts='simplex.parts',
    simplex_interval='simplex.interval',
    regulariser='simplex.regularizer',
    regularizer='simplex.regularizer',
    code_source='simplex.code_source',
)
class KShotNAS(KShotNetwork):
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
        simplex (dict, optional): How codes are made and trained. Defaults to None:
            the defaults.

            - ``net`` (dict, optional): Arguments of :class:`.SimplexNet`, such as
              ``hidden_channels``. Defaults to None: its defaults.
            - ``parts`` (int): m, number of paths per step of the simplex-net. Defaults
              to 16.
            - ``run_paths`` (int, optional): At most this many of the m paths run, each on
              a larger part of the batch. Fewer make the step faster; the expected gradient
              is the same if no norm depends on the batch. The regularizer compares all m
              codes. Defaults to None: all run.
            - ``interval`` (int): Number of weight steps per step of the simplex-net.
              Defaults to 1: the two alternate.
            - ``regularizer`` (dict, optional): Config of a loss on the m codes and the
              mean widths of their paths. Defaults to None: no such loss.
            - ``code_source`` (str): Where codes come from after the warm-up:
              'simplex_net'; or, as controls without a simplex-net, 'uniform' (1 / K),
              'random' (a fixed random point for each path) or 'split' (one dictionary for
              each option of the choice ``split``, :func:`.split_codes`). Defaults to
              'simplex_net'.
            - ``split`` (str, optional): A choice of the space. Defaults to None.
        warmup (dict, optional): Length of the warm-up, ``epochs`` or ``iters``
            (:class:`.Warmup`). None: no warm-up. Defaults to 5 epochs.
        calibration_batches (int): Number of batches that a search passes to
            :meth:`prepare_path`. Defaults to 4.
        val_path (str | dict): Path for :meth:`predict`: 'largest' or a path.
        seed (int): Seed for the random paths. Defaults to 0.
        sampling (str): 'uniform': paths are random. 'fair': each option of a choice
            occurs equally often (:func:`.fair_indices`). Defaults to 'uniform'.
        data_preprocessor (dict, optional): As in mmpretrain's ``ImageClassifier``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``;
            ``dict(type='OneShotInit', checkpoint=...)`` starts from a trained
            supernet with K = 1.
        warmup_epochs (float, optional): Former name of ``warmup.epochs``.

    Raises:
        ValueError: If a number is out of range, a setting is unknown, a regularizer is
            set for a space without width choices, or ``val_path`` is not a path of the
            space.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('warmup.epochs', 'warmup.iters')

    def __init__(
        self,
        space: dict,
        backbone: dict | None = None,
        head: dict | None = None,
        k: int = 8,
        simplex: Mapping | None = None,
        warmup: Mapping | None = _FIVE_EPOCHS,
        calibration_batches: int = 4,
        val_path: str | ArchPath = 'largest',
        seed: int = 0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        warmup_epochs: float | None = None,
        sampling: str = 'uniform',
    ) -> None:
        if sampling not in ('uniform', 'fair'):
            raise ValueError(f"model.sampling={sampling!r} must be 'uniform' or 'fair'")
        self.sampling = sampling
        settings = settings_of(
            'model.simplex', simplex, net=None, parts=16, run_paths=None, interval=1,
            regularizer=None, code_source='simplex_net', split=None,
        )  # fmt: skip
        self.parts, self.interval = settings['parts'], settings['interval']
        run_paths = self.parts if settings['run_paths'] is None else settings['run_paths']
        check_count(
            1, 'model.simplex', parts=self.parts, interval=self.interval, run_paths=run_paths
        )
        self.run_paths = min(run_paths, self.parts)
        check_count(0, 'model', seed=seed)
        super().__init__(
            space, backbone, head, k, settings['net'], calibration_batches, val_path,
            data_preprocessor, init_cfg, settings['code_source'], settings['split'],
        )  # fmt: skip
        self.seed = seed
        self.warmup = Warmup.from_config('model.warmup', warmup, epochs=warmup_epochs)
        self.regularizer = None
        if settings['regularizer'] is not None:
            if not self.space.width_choices:
                raise ValueError(
                    'model.simplex.regularizer compares widths, but the space has no width '
                    'choices: set model.simplex.regularizer=None or model.space.widths'
                )
            self.regularizer = MODELS.build(settings['regularizer'])

    # --- training -------------------------------------------------------------

    def _draw(self, number: int, step_kind: int) -> np.ndarray:
        """Random paths of this step, the same on every rank, (number, C)."""
        if self.sampling == 'fair':
            # Steps of this kind so far.
            done = self.steps // self.interval if step_kind else self.steps
            return fair_indices(self.space, (self.seed, step_kind), done * number, number)
        generator = np.random.default_rng((self.seed, self.steps, step_kind))
        return self.space.sample_indices(number, generator)

    def _draw_simplex_paths(self) -> np.ndarray:
        """The m paths of this step; the first ``run_paths`` run, and are fair on their own."""
        indices = self._draw(self.run_paths, 1)
        rest = self.parts - self.run_paths
        return np.concatenate([indices, self._draw(rest, 2)]) if rest else indices

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of this step's random path; its code gets no gradient.

        Args:
            inputs (Tensor): Images, (B, 3, H, W).
            data_samples (list[DataSample]): The samples, with labels.

        Returns:
            dict[str, Tensor]: What the head returns.
        """
        if self.k > 1 and self.code_source != 'uniform':
            self.warmup.check_end('all codes would be 1 / K')
        self.warm = self.warmup.over()
        path = self.space.paths(self._draw(1, 0))[0]
        logits = self.logits(inputs, path, self.code(path))
        return self.head.loss((logits,), data_samples)

    def simplex_loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of random paths with their codes, each on a part of the batch.

        Args:
            inputs (Tensor): Images, (B, 3, H, W), split into ``run_paths`` parts whose
                sizes differ by at most one.
            data_samples (list[DataSample]): The samples, with labels.

        Returns:
            dict[str, Tensor]: ``loss_simplex``; ``loss_code`` if there is a
            regularizer; for the log, ``code_mean/1`` to ``code_mean/K`` over the m
            codes, and ``code_spread``, their standard deviation averaged over K.

        Raises:
            ValueError: If the batch has fewer images than paths that run.
        """
        self._check_parts(len(inputs))
        indices, number = self._draw_simplex_paths(), self.run_paths
        codes, paths = self.codes(indices), self.space.paths(indices[:number])
        run_codes = codes[:number]
        # With fresh statistics: this step must not update those of the supernet.
        tensors = self.backbone.tensors_of_paths(paths, run_codes)
        images_of = inputs.tensor_split(number)
        losses, start = [], 0
        for path, images, backbone, weight, bias in zip(
            paths, images_of, tensors, *self._classifier(run_codes), strict=True
        ):
            samples = data_samples[start : start + len(images)]
            start += len(images)
            logits = self._scores(self.backbone.run(images, path, backbone), weight, bias)
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
        if size < self.run_paths:
            key = 'parts' if self.run_paths == self.parts else 'run_paths'
            raise ValueError(
                f'a batch of {size} cannot be split into model.simplex.{key}={self.run_paths} '
                f'parts: raise train_dataloader.batch_size or lower model.simplex.{key}'
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
        due = (self.steps + 1) % self.interval == 0
        if self.simplex_net is not None and self.warm and due:
            wrapper = optim_wrapper[SIMPLEX]
            with wrapper.optim_context(self):
                losses = self.simplex_loss(batch['inputs'], batch['data_samples'])
            loss, simplex_log = self.parse_losses(losses)
            self._update(wrapper, loss, list(self.simplex_net.parameters()))
            log.update((key, value) for key, value in simplex_log.items() if key != 'loss')
        self.steps += 1
        return log

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
