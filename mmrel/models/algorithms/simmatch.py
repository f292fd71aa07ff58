"""SimMatch: semi-supervised learning with similarity matching."""

from collections.abc import Sequence
from typing import Any, cast

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
    """Learn from few labels by matching semantic and instance pseudo-labels.

    A batch has labeled images x with one weak view each, and unlabeled images u
    with a weak and a strong view each. The student's forward takes x and the strong
    views, the teacher's forward takes x and the weak views. The teacher's aligned
    class probabilities of u and its similarities to a bank of labeled images
    calibrate each other; the results are the student's targets. The teacher is
    updated after the optimizer's step, when it is next used or saved: once per
    optimizer step, even with gradient accumulation. The bank and the alignment are
    updated in every iteration.
    Source: SimMatch (arXiv:2203.06915).

    If ``neck``, ``memory`` and ``instance_head`` are all None, there is no instance
    branch. The method is then FixMatch with a teacher (and alignment, if set).

    Args:
        backbone (dict): The backbone's config.
        num_classes (int): C; the classifier is a linear layer on the pooled
            features. A config may leave it out, like ``memory.size``: mmrel's Runner
            and ``get_model`` derive both from the checkpoint or the data.
        head (dict): Config of the semantic losses. Its loss takes the logits and
            labels of x, the logits of the strong views, their targets, and the
            true classes of u (or None), which are only logged.
        neck (dict, optional): The projector's config. ``in_channels`` defaults to
            the backbone's feature width. In the authors' projector the hidden
            layers have the backbone's feature width, and there are 128 outputs.
        instance_head (dict, optional): Config of the instance branch's targets
            and loss.
        memory (dict, optional): Config of the bank. ``dim`` defaults to the
            neck's output width.
        alignment (dict, optional): Config of the distribution alignment.
            ``num_classes`` is filled in. Defaults to None: no alignment.
        teacher (dict, optional): Arguments of :class:`MomentumTeacher`;
            ``dict(average_buffers=True)`` is EMAN. Defaults to None: only
            parameters are averaged, with momentum 0.999.
        batch_shuffle (bool, optional): Shuffle the teacher's batch across
            ranks, as in :class:`ReSSL`. Defaults to None: True, unless the teacher
            averages its buffers and so uses no batch statistics.
        predict_with (str): Default network of :meth:`predict`: 'teacher' or
            'student'. Defaults to 'teacher'.
        data_preprocessor (dict, optional): As in mmpretrain's
            ``BaseSelfSupervisor``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``.

    Raises:
        ValueError: If a part of the instance branch is missing, ``batch_shuffle``
            is True for a teacher that averages its buffers, or ``predict_with`` is
            neither of the two.
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
                'model.instance_head and model.memory; to disable it, leave out all three'
            )
        if predict_with not in NETWORKS:
            raise ValueError(f'model.predict_with={predict_with!r} must be one of {NETWORKS}')
        super().__init__(
            backbone=backbone, head=head, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.classifier = nn.Linear(feature_dim(self.backbone), num_classes)
        self.instance_head: Any = None
        self.memory: Any = None
        if neck is not None and memory is not None:
            self.neck = build_neck(neck, self.backbone)
            self.instance_head = MODELS.build(instance_head)
            self.memory = build_memory(memory, self.neck)
        self.alignment = None
        if alignment is not None:
            self.alignment = MODELS.build(dict(alignment, num_classes=num_classes))
        self.teacher = MomentumTeacher(self._student(), **(teacher or {}))
        if batch_shuffle and self.teacher.average_buffers:
            raise ValueError(
                'model.batch_shuffle=True has no effect with model.teacher.average_buffers=True, '
                'because that teacher uses no batch statistics: leave it out'
            )
        self.batch_shuffle = (
            not self.teacher.average_buffers if batch_shuffle is None else batch_shuffle
        )
        self.predict_with = predict_with

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.classifier.out_features

    def _student(self) -> dict[str, nn.Module]:
        """The student's modules whose average is the teacher."""
        modules = dict(backbone=self.backbone, classifier=self.classifier)
        return modules if self.neck is None else dict(modules, neck=self.neck)

    def init_weights(self) -> None:
        """Initialize the student and copy it to the teacher."""
        super().init_weights()
        self.teacher.copy_from(self._student())

    @torch.no_grad()
    def teach(self, image: Tensor) -> tuple[Tensor, Any]:
        """The teacher's class probabilities and embeddings.

        Args:
            image (Tensor): Weak views, (B, 3, H, W).

        Returns:
            tuple[Tensor, Tensor | None]: Probabilities (B, C) before alignment,
            and unit vectors (B, D) or None without a projector, in at least
            float32.
        """
        self.teacher.catch_up()
        restore = None
        if self.batch_shuffle:
            image, restore = shuffle_batch(image)
        feature = pool_features(self.teacher.backbone(image))
        outputs = [_softmax(self.teacher.classifier(feature), dim=1)]
        if self.neck is not None:
            outputs.append(_normalize(self.teacher.neck(feature)[0], dim=1))
        if restore is not None:
            outputs = [unshuffle_batch(output, restore) for output in outputs]
        return outputs[0], outputs[1] if self.neck is not None else None

    def loss(self, inputs: Sequence[Tensor], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of a training step; also updates the memory and the alignment.

        Args:
            inputs (Sequence[Tensor]): The weak views of the labeled images,
                (B, 3, H, W), then the strong and the weak views of the unlabeled
                images, (mu * B, 3, H, W) each.
            data_samples (list[DataSample]): First the labeled images, with
                ``gt_label`` and ``sample_idx``, their index in the labeled set.
                Then the unlabeled images; their ``gt_label``, if any, is only
                logged.

        Returns:
            dict[str, Tensor]: The heads' results: ``loss_x``, ``loss_u``,
            ``loss_in``, ``utilisation``, ``pseudo_label_accuracy``. mmengine
            sums the losses.

        Raises:
            ValueError: If the batch has another layout.
            IndexError: If a ``sample_idx`` is outside the memory.
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
                f'SimMatch needs labeled, strong and weak views, and a sample for each image, '
                f'but got batches of {sizes} with {len(data_samples or ())} samples: use '
                'SemiSupervisedDataset, SemiSupervisedSampler and semi_supervised_collate'
            )
        return inputs

    @staticmethod
    def _labels(samples: list[DataSample]) -> tuple[Tensor, Tensor]:
        """Labels of the labeled images, and their indices on the CPU."""
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
        """True classes of the unlabeled images, -1 if unknown; None if all are unknown."""
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
            ValueError: If ``network`` is neither of the two.
        """
        if network not in NETWORKS:
            raise ValueError(f'network={network!r} must be one of {NETWORKS}')
        self.teacher.catch_up()
        modules: Any = self.teacher if network == 'teacher' else self
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
            data_samples (list[DataSample], optional): Samples to fill in.
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
        """Dispatch to the method of a mode, as mmengine expects.

        Args:
            inputs (Tensor | Sequence[Tensor]): Inputs of the mode's method.
            data_samples (list[DataSample], optional): Samples for the mode's
                method.
            mode (str): 'loss', 'predict', or 'tensor' (the student's backbone).
                Defaults to 'tensor'.

        Returns:
            dict | list | tuple: What the mode's method returns.
        """
        if mode == 'predict':
            return self.predict(cast(Tensor, inputs), data_samples)
        return super().forward(inputs, data_samples, mode)
