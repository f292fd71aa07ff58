"""ReSSL's relation loss."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_positive


@MODELS.register_module()
class RelationHead(BaseModule):
    """Cross entropy between the teacher's and the student's relations.

    ``H(softmax(s_teacher / t_teacher), softmax(s_student / t_student))``,
    averaged over views and rows; the softmax is over the memory.
    Source: ReSSL (arXiv:2107.09282), Eqs. 3 to 5.

    Args:
        student_temperature (float): Defaults to 0.1.
        teacher_temperature (float): Lower than the student's, for a sharper
            target. Defaults to 0.04.

    Raises:
        ValueError: If a temperature is not positive, or the teacher's is not
            below the student's.
    """

    def __init__(self, student_temperature: float = 0.1, teacher_temperature: float = 0.04) -> None:
        super().__init__()
        check_positive(
            'head',
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
        )
        if teacher_temperature >= student_temperature:
            raise ValueError(
                f'head.teacher_temperature={teacher_temperature} must be below '
                f'head.student_temperature={student_temperature}: the target must be the '
                'sharper distribution (ReSSL uses 0.04 and 0.1)'
            )
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature

    @full_precision
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss between two sets of similarities to the same memory.

        Args:
            student (Tensor): Similarities of the student's V views,
                (V, B, K), or of one view, (B, K).
            teacher (Tensor): Similarities of the teacher's view, (B, K),
                the target for every student view.

        Returns:
            Tensor: The loss, a scalar in at least float32.
        """
        target = F.softmax(teacher / self.teacher_temperature, dim=-1)
        log_prob = F.log_softmax(student / self.student_temperature, dim=-1)
        # Average over views first: the sum with the target then runs once, not V times.
        if log_prob.ndim == 3:
            log_prob = log_prob.mean(0)
        return -torch.mul(target, log_prob).sum(-1).mean()

    def loss(
        self, student: Tensor, teacher: Tensor, positive: Tensor | None = None
    ) -> dict[str, Tensor]:
        """:meth:`forward` as the dict of losses that mmengine sums up.

        Args:
            student (Tensor): As :meth:`forward`.
            teacher (Tensor): As :meth:`forward`.
            positive (Tensor, optional): Not used; contrastive heads need it.

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        return dict(loss=self(student, teacher))
