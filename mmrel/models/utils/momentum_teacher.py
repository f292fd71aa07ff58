"""The teacher: an exponential moving average of the student's parameters."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmrel.utils.checks import check_within

from .held_back import HeldBackUpdate
from .progress import run_position, step_begins, step_ends


class MomentumTeacher(HeldBackUpdate):
    """A copy of the student's modules, updated as their moving average.

    :meth:`update` sets ``theta_teacher = m * theta_teacher + (1 - m) *
    theta_student`` for every parameter. Buffers are not averaged: the teacher runs
    in train mode and computes its own BN statistics.
    Source: ReSSL (arXiv:2107.09282), Sec. 3.2, after MoCo.

    With ``average_buffers`` it is EMAN's teacher (arXiv:2101.08482): buffers are
    averaged like parameters (integers, such as BN's batch counter, are copied), and
    the teacher always runs in eval mode. If BN statistics differ between ranks, the
    teachers differ too: use ``SyncBN``.

    A method whose teacher is updated after the optimizer's step calls
    :meth:`update_later` in its forward. The update is made at the next
    :meth:`catch_up`, or when the teacher is saved.

    With gradient accumulation a method still calls these in each iteration, but the
    teacher is updated only once per optimizer step.

    Args:
        modules (Mapping[str, nn.Module]): The student's modules by name, such
            as ``dict(backbone=..., neck=...)``. They are copied.
        momentum (float): m, in [0, 1], the weight of the teacher in an update (0.99
            or 0.999: the papers' convention, one minus mmengine's).
        end_momentum (float, optional): If given, m rises from ``momentum`` to
            this value with a cosine schedule over the run (BYOL). The position in
            the run comes from mmengine's message hub, which is in the
            checkpoint. Defaults to None: constant.
        average_buffers (bool): Average the buffers too, and run in eval mode.
            Defaults to False.

    Raises:
        ValueError: If a momentum is outside [0, 1].
    """

    # Those of the student's modules that an algorithm has.
    backbone: nn.Module
    neck: nn.Module
    classifier: nn.Module

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        momentum: float = 0.999,
        end_momentum: float | None = None,
        average_buffers: bool = False,
    ) -> None:
        super().__init__()
        advice = 'the papers use 0.99 to 0.999'
        check_within('[0, 1]', 'teacher', advice, momentum=momentum, end_momentum=end_momentum)
        self.base_momentum = momentum
        self.end_momentum = end_momentum
        self.average_buffers = average_buffers
        for name, module in modules.items():
            self.add_module(name, copy.deepcopy(module))
        self.requires_grad_(False)
        if average_buffers:
            self.eval()

    def momentum(self) -> float:
        """The momentum m of the current step."""
        if self.end_momentum is None:
            return self.base_momentum
        done, max_iters, _ = run_position('teacher.end_momentum')
        progress = min(done / max_iters, 1.0)
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self.end_momentum - (self.end_momentum - self.base_momentum) * cosine

    def train(self, mode: bool = True) -> 'MomentumTeacher':
        """Set the mode; with averaged buffers the teacher stays in eval mode."""
        return super().train(mode and not self.average_buffers)

    def _pairs(self, student: Mapping[str, nn.Module]) -> list[tuple[Tensor, Tensor]]:
        """Pairs of the teacher's and the student's tensors to average."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for name, module in student.items():
            own = getattr(self, name)
            pairs += zip(own.parameters(), module.parameters(), strict=True)
            if self.average_buffers:
                pairs += zip(own.buffers(), module.buffers(), strict=True)
        return pairs

    @torch.no_grad()
    def update(self, student: Mapping[str, nn.Module]) -> None:
        """Update the teacher, but only in the first iteration of an optimizer step.

        Args:
            student (Mapping[str, nn.Module]): The modules given at construction.
        """
        if step_begins():
            self._make(student, self.momentum())

    def _make(self, student: Mapping[str, nn.Module], momentum: float) -> None:
        pairs = self._pairs(student)
        moved = [pair for pair in pairs if pair[0].is_floating_point()]
        counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        torch._foreach_lerp_([own for own, _ in moved], [new for _, new in moved], 1.0 - momentum)
        if counts:
            torch._foreach_copy_([own for own, _ in counts], [new for _, new in counts])

    def update_later(self, student: Mapping[str, nn.Module]) -> None:
        """Schedule an update for after the optimizer's step.

        Args:
            student (Mapping[str, nn.Module]): The modules given at construction.
        """
        self.catch_up()
        if step_ends():
            self.hold_back(student, self.momentum())

    @torch.no_grad()
    def copy_from(self, student: Mapping[str, nn.Module]) -> None:
        """Copy the student's parameters and buffers (at the start of a run)."""
        self._held = None
        for name, module in student.items():
            getattr(self, name).load_state_dict(module.state_dict())
