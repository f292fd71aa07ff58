"""The teacher: an exponential moving average of the student's parameters."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .progress import run_position


class MomentumTeacher(nn.Module):
    """A copy of the student's modules that follows them without gradient.

    After each :meth:`update`, ``theta_teacher = m * theta_teacher + (1 - m) *
    theta_student`` for every parameter. Buffers are the teacher's own: it runs
    in train mode, so its BN statistics come from the images that it sees.
    Source: ReSSL (arXiv:2107.09282), Sec. 3.2, after MoCo.

    Args:
        modules (Mapping[str, nn.Module]): The student's modules by name, such
            as ``dict(backbone=..., neck=...)``. They are copied.
        momentum (float): m, in [0, 1]. The share of the teacher that stays in
            a step (0.99, 0.999: the papers' convention, one minus mmengine's).
        end_momentum (float, optional): If given, m rises from ``momentum`` to
            this value along half a cosine over the run (BYOL's schedule); the
            position is read from mmengine's message hub, which is in the
            checkpoint. Defaults to None: constant.

    Raises:
        ValueError: If a momentum is outside [0, 1].
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        momentum: float = 0.999,
        end_momentum: float | None = None,
    ) -> None:
        super().__init__()
        for key, value in (('momentum', momentum), ('end_momentum', end_momentum)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise ValueError(
                    f'teacher.{key}={value} is outside [0, 1]; the papers use 0.99 to 0.999'
                )
        self.base_momentum = momentum
        self.end_momentum = end_momentum
        for name, module in modules.items():
            self.add_module(name, copy.deepcopy(module))
        self.requires_grad_(False)

    def momentum(self) -> float:
        """The momentum m of the current step."""
        if self.end_momentum is None:
            return self.base_momentum
        done, max_iters, _ = run_position('teacher.end_momentum')
        progress = min(done / max_iters, 1.0)
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self.end_momentum - (self.end_momentum - self.base_momentum) * cosine

    def _pairs(self, student: Mapping[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
        own, theirs = [], []
        for name, module in student.items():
            own += list(getattr(self, name).parameters())
            theirs += list(module.parameters())
        return own, theirs

    @torch.no_grad()
    def update(self, student: Mapping[str, nn.Module]) -> None:
        """Move towards the student by one step.

        Args:
            student (Mapping[str, nn.Module]): The modules given at construction.
        """
        own, theirs = self._pairs(student)
        torch._foreach_lerp_(own, theirs, 1.0 - self.momentum())

    @torch.no_grad()
    def copy_from(self, student: Mapping[str, nn.Module]) -> None:
        """Become equal to the student, buffers included (the start of a run)."""
        for name, module in student.items():
            getattr(self, name).load_state_dict(module.state_dict())
