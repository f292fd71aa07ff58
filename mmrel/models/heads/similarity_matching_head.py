"""SimMatch's instance branch: match similarities to the labeled bank."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.models.utils.progress import run_position
from mmrel.models.utils.pseudo_labels import aggregate, unfold
from mmrel.registry import MODELS


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
    needs ``model_wrapper_cfg.find_unused_parameters=True``. The warm-up follows the
    Runner's iteration, which is in the checkpoint.

    Args:
        student_temperature (float): Defaults to 0.1.
        teacher_temperature (float): Defaults to 0.1.
        alpha (float): Weight of p in the semantic target; 1 disables aggregation.
            Defaults to 0.9.
        loss_weight (float): lambda_in. Defaults to 1.0.
        warmup_epochs (float, optional): Length of the warm-up in epochs, may be
            fractional. Defaults to None: 1, unless ``warmup_iters`` is given.
        warmup_iters (int, optional): Its length in iterations, for iteration-based
            runs: mmengine counts such a run as one epoch.

    Raises:
        ValueError: If a value is out of range, or both lengths are given.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('warmup_epochs', 'warmup_iters')

    def __init__(
        self,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.1,
        alpha: float = 0.9,
        loss_weight: float = 1.0,
        warmup_epochs: float | None = None,
        warmup_iters: int | None = None,
    ) -> None:
        super().__init__()
        if student_temperature <= 0 or teacher_temperature <= 0:
            raise ValueError(
                f'instance_head.student_temperature={student_temperature} and '
                f'instance_head.teacher_temperature={teacher_temperature} must be positive'
            )
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f'instance_head.alpha={alpha} is outside [0, 1]; the papers use 0.9')
        if warmup_epochs is not None and warmup_iters is not None:
            raise ValueError(
                f'instance_head.warmup_epochs={warmup_epochs} and instance_head.warmup_iters='
                f'{warmup_iters} set the same length: give only one of them'
            )
        if warmup_epochs is None and warmup_iters is None:
            warmup_epochs = 1.0
        for key, value in (
            ('loss_weight', loss_weight),
            ('warmup_epochs', warmup_epochs),
            ('warmup_iters', warmup_iters),
        ):
            if value is not None and value < 0:
                raise ValueError(f'instance_head.{key}={value} must not be negative')
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.alpha = alpha
        self.loss_weight = loss_weight
        self.warmup_epochs = warmup_epochs
        self.warmup_iters = warmup_iters

    def active(self) -> bool:
        """Whether the warm-up is over.

        Raises:
            RuntimeError: If there is a warm-up and no Runner has set the
                length of the run.
        """
        if self.warmup_iters:
            return run_position('instance_head.warmup_iters')[0] >= self.warmup_iters
        if not self.warmup_epochs:
            return True
        done, max_iters, max_epochs = run_position('instance_head.warmup_epochs')
        return done * max_epochs >= self.warmup_epochs * max_iters

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
        if not self.active():
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
