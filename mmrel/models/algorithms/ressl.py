"""ReSSL: relational self-supervised learning."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from mmrel.models.layers import scale_gradient
from mmrel.models.utils import MomentumTeacher, full_precision, shuffle_batch, unshuffle_batch
from mmrel.registry import MODELS

from .build import build_backbone_and_neck, build_memory, build_predictor

_normalize = full_precision(F.normalize)


@MODELS.register_module()
class ReSSL(BaseSelfSupervisor):
    """Match the student's and a momentum teacher's similarities to a memory.

    Source: ReSSL (arXiv:2107.09282), Sec. 3. The predictor and the warm-up are
    from its extended version (arXiv:2203.08717).

    The warm-up contrasts the projections z, as in the paper. The head matches the
    predictions q = predictor(z). While the warm-up has the weight s, the head's
    gradient reaches the projections scaled by 1 - s, and the predictor unscaled.
    So the predictor is already trained when the head takes over (our choice).

    The teacher is updated once per optimizer step, even if a step accumulates the
    gradients of several iterations. The memory stores the embeddings of every
    iteration.

    Args:
        backbone (dict): The backbone's config.
        neck (dict): The projector's config. ``in_channels`` defaults to the
            backbone's feature width.
        head (dict): The head's config. Its loss takes the similarities of the
            student's views to the memory (V, B, K), those of the teacher's
            view (B, K), and, for contrastive heads, those of the student's views
            to the teacher's view of the same image (V, B).
        memory (dict): The memory's config. ``dim`` defaults to the neck's output
            width.
        teacher (dict, optional): Arguments of :class:`MomentumTeacher`:
            ``momentum`` and ``end_momentum``. Defaults to None: its defaults.
        predictor (dict, optional): Config of an MLP on the student's projection;
            the teacher has none. ``in_channels`` and ``out_channels`` default to
            the neck's output width. BYOL's predictor is
            ``dict(type='MLPNeck', hidden_channels=4096,
            norm_cfg=dict(type='BN1d'))``. Defaults to None: no predictor.
        warmup (dict, optional): Config of the warm-up loss, such as
            ``dict(type='InfoNCEWarmup', epochs=10)``. Defaults to None: no
            warm-up.
        batch_shuffle (bool): Shuffle the batch across ranks before the
            teacher's forward, so that BN statistics do not leak which samples
            belong together (MoCo's shuffling BN). Not needed if the backbone's
            ``norm_cfg`` is ``SyncBN``. No effect on a single rank: use
            ``SplitBN`` there. Defaults to True.
        data_preprocessor (dict, optional): As in mmpretrain's
            ``BaseSelfSupervisor``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        memory: dict,
        teacher: dict | None = None,
        predictor: dict | None = None,
        warmup: dict | None = None,
        batch_shuffle: bool = True,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        built_backbone, built_neck = build_backbone_and_neck(backbone, neck)
        super().__init__(
            backbone=built_backbone,
            neck=built_neck,
            head=head,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.predictor = build_predictor(predictor, self.neck)
        self.warmup: Any = None if warmup is None else MODELS.build(warmup)
        self.memory = build_memory(memory, self.neck)
        self.teacher = MomentumTeacher(self._student(), **(teacher or {}))
        self.batch_shuffle = batch_shuffle

    def _student(self) -> dict[str, nn.Module]:
        """The student's modules whose average is the teacher."""
        return dict(backbone=self.backbone, neck=self.neck)

    def init_weights(self) -> None:
        """Initialize the student and copy it to the teacher."""
        super().init_weights()
        self.teacher.copy_from(self._student())

    def project(self, image: Tensor) -> Tensor:
        """The student's projections of a view, not normalized.

        Args:
            image (Tensor): Shape (B, 3, H, W).

        Returns:
            Tensor: Shape (B, D).
        """
        return self.neck(self.backbone(image))[0]

    @torch.no_grad()
    def embed_teacher(self, image: Tensor) -> Tensor:
        """The teacher's embeddings of a view.

        Args:
            image (Tensor): Shape (B, 3, H, W).

        Returns:
            Tensor: Unit vectors, shape (B, D), in at least float32.
        """
        restore = None
        if self.batch_shuffle:
            image, restore = shuffle_batch(image)
        z = _normalize(self.teacher.neck(self.teacher.backbone(image))[0], dim=1)
        return z if restore is None else unshuffle_batch(z, restore)

    def _predict(self, projections: list[Tensor]) -> list[Tensor]:
        """Each view's predictions, or its projections if there is no predictor."""
        if self.predictor is None:
            return projections
        return [self.predictor(projection)[0] for projection in projections]

    def _relate(
        self, embeddings: list[Tensor], z_teacher: Tensor, teacher: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Arguments of the heads' losses, from the embeddings (B, D) of each view."""
        z = torch.stack([_normalize(embedding, dim=1) for embedding in embeddings])
        return self.memory.similarity(z), teacher, (z * z_teacher).sum(-1)

    def _warmup_losses(
        self, projections: list[Tensor], z_teacher: Tensor, teacher: Tensor
    ) -> dict[str, Tensor]:
        share = self.warmup.share()
        warmup = main = z_teacher.new_zeros(())
        losses: dict[str, Tensor] = {}
        relations: Any = None
        if share > 0 or self.predictor is None:
            relations = self._relate(projections, z_teacher, teacher)
        if share > 0:
            warmup = share * self._total(self.warmup.loss(*relations))
        if self.predictor is not None:
            passed = [scale_gradient(projection, 1.0 - share) for projection in projections]
            relations = self._relate(self._predict(passed), z_teacher, teacher)
            losses = self.head.loss(*relations)
            main = self._total(losses)
        elif share < 1:
            losses = self.head.loss(*relations)
            main = (1.0 - share) * self._total(losses)
        logged = {key: value for key, value in losses.items() if 'loss' not in key}
        return dict(loss_warmup=warmup, loss_main=main, **logged)

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        """The sum of a head's losses, as mmengine adds them up."""
        return self.parse_losses(losses)[0]

    def loss(
        self, inputs: Sequence[Tensor], data_samples: Any = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Loss of a training step; also updates the teacher and the memory.

        Args:
            inputs (Sequence[Tensor]): One or more views for the student, then the
                teacher's weak view, each (B, 3, H, W). Views may differ in size.
            data_samples: Not used.
            **kwargs: Not used.

        Returns:
            dict[str, Tensor]: The head's losses, which mmengine sums up, and its
            other values. With a warm-up, the losses are ``loss_warmup`` and
            ``loss_main`` (the sum of the head's).
        """
        *strong, weak = inputs
        self.teacher.update(self._student())
        z_teacher = self.embed_teacher(weak)
        projections = [self.project(view) for view in strong]
        teacher = self.memory.similarity(z_teacher)
        if self.warmup is None:
            relations = self._relate(self._predict(projections), z_teacher, teacher)
            losses = self.head.loss(*relations)
        else:
            losses = self._warmup_losses(projections, z_teacher, teacher)
        self.memory.write(z_teacher)
        return losses
