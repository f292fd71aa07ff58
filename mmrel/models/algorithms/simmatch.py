"""SimMatch: semi-supervised learning with similarity matching."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmrel.models.utils import (
    MomentumTeacher,
    feature_dim,
    full_precision,
    pool_features,
    shuffle_batch,
    unshuffle_batch,
)
from mmrel.registry import MODELS

from .build import build_memory, build_neck

_normalize = full_precision(F.normalize)
_softmax = full_precision(F.softmax)

NETWORKS = ('student', 'teacher')


@MODELS.register_module()
class SimMatch(BaseSelfSupervisor):
    """Learn from few labels: pseudo-labels of classes and of instances agree.

    A step has labeled images x, a weak view each, and unlabeled ones u, a weak
    and a strong view each. The student sees x and the strong views in one
    forward, the teacher x and the weak views in one. The teacher's class
    probabilities of u, aligned, and its similarities to a bank of the labeled
    images correct each other and become the student's targets. The teacher moves
    after the optimizer's step, as soon as it is next used or saved; with accumulated
    gradients that is once for several iterations. Bank and alignment take each
    iteration's batch.
    Source: SimMatch (arXiv:2203.06915).

    Without ``neck``, ``memory`` and ``instance_head`` (all None) there is no
    instance branch: FixMatch with a teacher, and with alignment if there is any.

    Args:
        backbone (dict): The backbone's config.
        num_classes (int): C; the classifier is a linear layer on the pooled
            features.
        head (dict): Config of the semantic losses; its loss takes the logits
            and labels of x, the logits of the strong views, their target, and
            the true classes of u or None, which are only for the log.
        neck (dict, optional): The projector's config. ``in_channels`` may be
            left out: it follows the backbone. The authors' has hidden layers as
            wide as the backbone's features, and 128 outputs.
        instance_head (dict, optional): Config of the instance branch's targets
            and loss.
        memory (dict, optional): Config of the bank. ``dim`` may be left out: it
            follows the neck.
        alignment (dict, optional): Config of the distribution alignment.
            ``num_classes`` is filled in. Defaults to None: none.
        teacher (dict, optional): Arguments of :class:`MomentumTeacher`;
            ``dict(average_buffers=True)`` is EMAN. Defaults to None: its
            defaults, parameters only with momentum 0.999.
        batch_shuffle (bool, optional): Shuffle the teacher's batch across
            ranks, as :class:`ReSSL` does. Defaults to None: yes, but not where
            the teacher averages its buffers and has no BN batch.
        predict_with (str): Whose classes :meth:`predict` gives unless it is
            told: 'teacher' or 'student'. Defaults to 'teacher'.
        data_preprocessor (dict, optional): As in mmpretrain's
            ``BaseSelfSupervisor``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``.

    Raises:
        ValueError: If a part of the instance branch is missing, ``batch_shuffle`` is combined
            with a teacher that averages its buffers, or ``predict_with`` is neither.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int,
        head: dict,
        neck: dict | None = None,
        instance_head: dict | None = None,
        memory: dict | None = None,
        alignment: dict | None = None,
        teacher: dict | None = None,
        batch_shuffle: bool | None = None,
        predict_with: str = 'teacher',
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        branch = dict(neck=neck, instance_head=instance_head, memory=memory)
        missing = [f'model.{key}' for key, part in branch.items() if part is None]
        if 0 < len(missing) < len(branch):
            raise ValueError(
                f'{" and ".join(missing)} is None: the instance branch needs model.neck, '
                'model.instance_head and model.memory; without it leave out all three'
            )
        if predict_with not in NETWORKS:
            raise ValueError(f'model.predict_with={predict_with!r} must be one of {NETWORKS}')
        super().__init__(
            backbone=backbone, head=head, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.classifier = nn.Linear(feature_dim(self.backbone), num_classes)
        self.instance_head = self.memory = None
        if not missing:
            self.neck = build_neck(neck, self.backbone)
            self.instance_head = MODELS.build(instance_head)
            self.memory = build_memory(memory, self.neck)
        self.alignment = None
        if alignment is not None:
            self.alignment = MODELS.build(dict(alignment, num_classes=num_classes))
        self.teacher = MomentumTeacher(self._student(), **(teacher or {}))
        if batch_shuffle and self.teacher.average_buffers:
            raise ValueError(
                'model.batch_shuffle=True does nothing for model.teacher.average_buffers=True, '
                'whose BN has no batch statistics: leave it out'
            )
        self.batch_shuffle = (
            not self.teacher.average_buffers if batch_shuffle is None else batch_shuffle
        )
        self.predict_with = predict_with

    @property
    def num_classes(self) -> int:
        """C."""
        return self.classifier.out_features

    def _student(self) -> dict[str, nn.Module]:
        """The student's modules that the teacher follows."""
        modules = dict(backbone=self.backbone, classifier=self.classifier)
        return modules if self.neck is None else dict(modules, neck=self.neck)

    def init_weights(self) -> None:
        """Initialise the student; the teacher starts equal to it."""
        super().init_weights()
        self.teacher.copy_from(self._student())

    @torch.no_grad()
    def teach(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """The teacher's class probabilities and embeddings.

        Args:
            image (Tensor): Weak views, (B, 3, H, W).

        Returns:
            tuple[Tensor, Tensor | None]: Probabilities (B, C), not aligned, and
            unit vectors (B, D), None without a projector; in at least float32.
        """
        self.teacher.catch_up()
        if self.batch_shuffle:
            image, restore = shuffle_batch(image)
        feature = pool_features(self.teacher.backbone(image))
        outputs = [_softmax(self.teacher.classifier(feature), dim=1)]
        if self.neck is not None:
            outputs.append(_normalize(self.teacher.neck(feature)[0], dim=1))
        if self.batch_shuffle:
            outputs = [unshuffle_batch(output, restore) for output in outputs]
        return outputs[0], outputs[1] if self.neck is not None else None

    def loss(self, inputs: Sequence[Tensor], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """A training step's losses; writes to memory and alignment.

        Args:
            inputs (Sequence[Tensor]): The weak views of the labeled images,
                (B, 3, H, W), then the strong and the weak views of the unlabeled
                ones, (mu * B, 3, H, W) each.
            data_samples (list[DataSample]): Of the labeled images, with
                ``gt_label`` and ``sample_idx``, their index in the labeled set;
                then of the unlabeled ones, whose ``gt_label``, where there is
                one, is only for the log.

        Returns:
            dict[str, Tensor]: What the heads return: ``loss_x``, ``loss_u``,
            ``loss_in``, ``utilisation``, ``pseudo_label_accuracy``. mmengine
            sums the losses.

        Raises:
            ValueError: If the batch is not as above.
            IndexError: If an index is outside the memory.
        """
        labeled, strong, weak = self._check(inputs, data_samples)
        number = len(labeled)
        labels, index = self._labels(data_samples[:number])
        labels = labels.to(labeled.device, non_blocking=True)
        classes = self._classes(data_samples[number:])
        if classes is not None:
            classes = classes.to(labeled.device, non_blocking=True)

        p, z_teacher = self.teach(torch.cat([labeled, weak]))
        feature = pool_features(self.backbone(torch.cat([labeled, strong])))
        logits = self.classifier(feature)

        target = p[number:] if self.alignment is None else self.alignment(p[number:])
        losses: dict[str, Tensor] = {}
        if self.memory is not None:
            z = _normalize(self.neck(feature[number:])[0], dim=1)
            similarity = self.memory.similarity
            _, bank_labels = self.memory.read()
            target, instance_target = self.instance_head.targets(
                similarity(z_teacher[number:]), target, bank_labels
            )
            losses.update(self.instance_head.loss(similarity(z), instance_target))
            self.memory.write(z_teacher[:number], labels, index)
        losses.update(self.head.loss(logits[:number], labels, logits[number:], target, classes))
        self.teacher.update_later(self._student())
        return losses

    @staticmethod
    def _check(inputs: Sequence[Tensor], data_samples: list[DataSample]) -> Sequence[Tensor]:
        sizes = [len(view) for view in inputs]
        if len(sizes) != 3 or sizes[1] != sizes[2] or len(data_samples) != sizes[0] + sizes[1]:
            raise ValueError(
                f'SimMatch needs labeled, strong and weak views, and a sample for each image; it '
                f'got batches of {sizes} with {len(data_samples or ())} samples: use '
                'SemiSupervisedDataset, SemiSupervisedSampler and semi_supervised_collate'
            )
        return inputs

    @staticmethod
    def _labels(samples: list[DataSample]) -> tuple[Tensor, Tensor]:
        """Labels and, on the CPU, indices of the labeled images."""
        for sample in samples:
            missing = {'gt_label', 'sample_idx'} - set(sample.all_keys())
            if missing:
                raise ValueError(f'a labeled image has no {" and no ".join(sorted(missing))}')
        return (
            torch.cat([sample.gt_label for sample in samples]),
            torch.tensor([sample.sample_idx for sample in samples]),
        )

    @staticmethod
    def _classes(samples: list[DataSample]) -> Tensor | None:
        """The unlabeled images' true classes, -1: none; None if there is none at all."""
        known = [sample.get('gt_label') for sample in samples]
        there = [label for label in known if label is not None]
        if not there:
            return None
        none = torch.full_like(there[0], -1)
        return torch.cat([none if label is None else label for label in known])

    def logits(self, image: Tensor, network: str) -> Tensor:
        """A network's class scores before the softmax.

        Args:
            image (Tensor): Shape (B, 3, H, W).
            network (str): 'student' or 'teacher'.

        Returns:
            Tensor: Shape (B, C).

        Raises:
            ValueError: If it is not one of them.
        """
        if network not in NETWORKS:
            raise ValueError(f'network={network!r} must be one of {NETWORKS}')
        self.teacher.catch_up()
        modules = self.teacher if network == 'teacher' else self
        return modules.classifier(pool_features(modules.backbone(image)))

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        network: str | None = None,
    ) -> list[DataSample]:
        """Classify images.

        Args:
            inputs (Tensor): Shape (B, 3, H, W).
            data_samples (list[DataSample], optional): They get the result.
                Defaults to None: new ones.
            network (str, optional): 'student' or 'teacher'. Defaults to None:
                ``predict_with``.

        Returns:
            list[DataSample]: With ``pred_score`` (C,) and ``pred_label``.
        """
        scores = _softmax(self.logits(inputs, network or self.predict_with), dim=1)
        samples = [DataSample() for _ in scores] if data_samples is None else data_samples
        for sample, score, label in zip(samples, scores, scores.argmax(1), strict=True):
            sample.set_pred_score(score).set_pred_label(label)
        return samples

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[DataSample] | tuple[Tensor, ...]:
        """The model as mmengine calls it.

        Args:
            inputs (Tensor | Sequence[Tensor]): As the mode's method takes them.
            data_samples (list[DataSample], optional): Likewise.
            mode (str): 'loss', 'predict', or 'tensor' (the student's backbone).
                Defaults to 'tensor'.

        Returns:
            dict | list | tuple: What the mode's method returns.
        """
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return super().forward(inputs, data_samples, mode)
