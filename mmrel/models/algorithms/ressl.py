"""ReSSL: relational self-supervised learning."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.models.utils import batch_shuffle_ddp, batch_unshuffle_ddp
from torch import Tensor, nn

from mmrel.models.utils import MomentumTeacher, full_precision
from mmrel.registry import MODELS

from .build import build_backbone_and_neck, build_memory, build_predictor

_normalize = full_precision(F.normalize)


@MODELS.register_module()
class ReSSL(BaseSelfSupervisor):
    """Match the student's relations to a memory with a momentum teacher's.

    Source: ReSSL (arXiv:2107.09282), Sec. 3; the predictor and, as a head, the
    InfoNCE warm-up: its extended version (arXiv:2203.08717).

    Args:
        backbone (dict): The backbone's config.
        neck (dict): The projector's config. ``in_channels`` may be left out:
            it follows the backbone.
        head (dict): The head's config; its loss takes the similarities of the
            student's views to the memory (V, B, K), those of the teacher's
            view (B, K), and those of the student's views to the teacher's view
            of the same image (V, B).
        memory (dict): The memory's config. ``dim`` may be left out: it
            follows the neck.
        teacher (dict, optional): Arguments of :class:`MomentumTeacher`:
            ``momentum`` and ``end_momentum``. Defaults to None: its defaults.
        predictor (dict, optional): Config of a further MLP on the student's
            projection; the teacher has none. ``in_channels`` and
            ``out_channels`` may be left out: they are the neck's width. BYOL's
            shape is ``dict(type='MLPNeck', hidden_channels=4096,
            norm_cfg=dict(type='BN1d'))``. Defaults to None: no predictor.
        batch_shuffle (bool): Shuffle the batch across ranks before the
            teacher's forward, so that BN statistics cannot tell which samples
            belong together (MoCo's trick). Not needed where the backbone's
            ``norm_cfg`` is ``SyncBN``; without effect on one rank, where
            ``SplitBN`` stands in for it. Defaults to True.
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
        self.memory = build_memory(memory, self.neck)
        self.teacher = MomentumTeacher(self._student(), **(teacher or {}))
        self.batch_shuffle = batch_shuffle

    def _student(self) -> dict[str, nn.Module]:
        """The student's modules that the teacher follows."""
        return dict(backbone=self.backbone, neck=self.neck)

    def init_weights(self) -> None:
        """Initialise the student; the teacher starts equal to it."""
        super().init_weights()
        self.teacher.copy_from(self._student())

    def embed(self, image: Tensor) -> Tensor:
        """The student's embeddings of a view.

        Args:
            image (Tensor): Shape (B, 3, H, W).

        Returns:
            Tensor: Unit vectors, shape (B, D), in at least float32.
        """
        z = self.neck(self.backbone(image))
        if self.predictor is not None:
            z = self.predictor(z)
        return _normalize(z[0], dim=1)

    @torch.no_grad()
    def embed_teacher(self, image: Tensor) -> Tensor:
        """The teacher's embeddings of a view, shapes as :meth:`embed`."""
        if self.batch_shuffle:
            image, restore = batch_shuffle_ddp(image)
        z = _normalize(self.teacher.neck(self.teacher.backbone(image))[0], dim=1)
        return batch_unshuffle_ddp(z, restore) if self.batch_shuffle else z

    def loss(
        self, inputs: Sequence[Tensor], data_samples: Any = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """A training step's loss; updates teacher and memory.

        Args:
            inputs (Sequence[Tensor]): The views: one or more for the student,
                then the teacher's weak view; each (B, 3, H, W), sizes may
                differ between views.
            data_samples: Not used.
            **kwargs: Not used.

        Returns:
            dict[str, Tensor]: What the head returns.
        """
        *strong, weak = inputs
        self.teacher.update(self._student())
        z_teacher = self.embed_teacher(weak)
        z_student = torch.stack([self.embed(view) for view in strong])
        losses = self.head.loss(
            self.memory.similarity(z_student),
            self.memory.similarity(z_teacher),
            (z_student * z_teacher).sum(-1),
        )
        self.memory.write(z_teacher)
        return losses
