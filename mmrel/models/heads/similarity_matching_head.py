"""SimMatch's instance branch: match similarities to the labeled bank."""

from collections.abc import Mapping
from types import MappingProxyType

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.models.utils.warmup import Warmup
from mmrel.registry import MODELS
from mmrel.utils.checks import check_at_least, check_positive, check_within

from .pseudo_labels import aggregate, unfold

_ONE_EPOCH = MappingProxyType(dict(epochs=1))


@MODELS.register_module()
class SimilarityMatchingHead(BaseModule):
    """Match the student's similarities to labeled images with the teacher's.

    The teacher's distribution over the bank is ``q = softmax(s_teacher /
    t_teacher)``. Unfolding it with the semantic pseudo-label p gives the instance
    target. Aggregating it gives a class distribution a, which smooths the semantic
    target: ``alpha * p + (1 - alpha) * a``. The loss is the cross entropy
    between the instance target and ``softmax(s_student / t_student)``.
    Source: SimMatch (arXiv:2203.06915).

    During the warm-up the branch is off, because the bank is still random: the loss
    is 0 and the semantic target is p. The projector then gets no gradient and no
    weight decay, as in the authors' implementation. Distributed training therefore
    needs ``model_wrapper_cfg.find_unused_parameters=True``.

    Args:
        student_temperature (float): Defaults to 0.1.
        teacher_temperature (float): Defaults to 0.1.
        alpha (float): Weight of p in the semantic target; 1 disables aggregation.
            Defaults to 0.9.
        loss_weight (float): lambda_in. Defaults to 1.0.
        warmup (dict, optional): Length of the warm-up: ``epochs``, or ``iters`` for
            iteration-based runs (:class:`.Warmup`). None: no warm-up. Defaults to one
            epoch.
        warmup_epochs (float, optional): Former name of ``warmup.epochs``.
        warmup_iters (int, optional): Former name of ``warmup.iters``.

    Raises:
        ValueError: If a value is out of range, or both lengths are given.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('warmup.epochs', 'warmup.iters')

    def __init__(
        self,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.1,
        alpha: float = 0.9,
        loss_weight: float = 1.0,
        warmup: Mapping | None = _ONE_EPOCH,
        warmup_epochs: float | None = None,
        warmup_iters: int | None = None,
    ) -> None:
        super().__init__()
        check_positive(
            'instance_head',
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
        )
        check_within('[0, 1]', 'instance_head', 'the papers use 0.9', alpha=alpha)
        check_at_least(0, 'instance_head', loss_weight=loss_weight)
        self.warmup = Warmup.from_config(
            'instance_head.warmup', warmup, epochs=warmup_epochs, iters=warmup_iters
        )
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.alpha = alpha
        self.loss_weight = loss_weight

    @full_precision
    def targets(
        self, teacher: Tensor, semantic: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The targets of both branches.

        Args:
            teacher (Tensor): Similarities of the teacher's weak views to the
                bank, (B, N).
            semantic (Tensor): p, the aligned semantic pseudo-labels, (B, C).
            labels (Tensor): The slots' classes, (N,) int64.

        Returns:
            tuple[Tensor, Tensor | None]: The semantic target (B, C) and the
            instance target (B, N), in at least float32. During the warm-up, p and
            None.
        """
        if not self.warmup.over():
            return semantic, None
        instance = F.softmax(teacher / self.teacher_temperature, dim=1)
        target = unfold(instance, semantic, labels)
        if self.alpha < 1:
            aggregated = aggregate(instance, labels, semantic.shape[1])
            semantic = self.alpha * semantic + (1 - self.alpha) * aggregated
        return semantic, target

    @full_precision
    def forward(self, student: Tensor, target: Tensor | None) -> Tensor:
        """The unweighted loss.

        Args:
            student (Tensor): Similarities of the student's strong views to the
                bank, (B, N).
            target (Tensor, optional): The instance target, (B, N). None: the
                loss is 0, without gradient.

        Returns:
            Tensor: A scalar in at least float32.
        """
        if target is None:
            return student.new_zeros(())
        # log_softmax, because a softmax over a large bank underflows.
        log_prob = F.log_softmax(student / self.student_temperature, dim=1)
        return -(target * log_prob).sum(1).mean()

    def loss(self, student: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """The weighted :meth:`forward` as the dict of losses that mmengine sums up.

        Args:
            student (Tensor): As :meth:`forward`.
            target (Tensor, optional): As :meth:`forward`.

        Returns:
            dict[str, Tensor]: ``loss_in``.
        """
        return dict(loss_in=self.loss_weight * self(student, target))
