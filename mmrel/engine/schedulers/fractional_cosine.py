"""A cosine schedule that does not end at 0."""

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from mmrel.registry import PARAM_SCHEDULERS
from mmrel.utils.checks import check_at_least


@PARAM_SCHEDULERS.register_module()
class FractionalCosineLR(LRSchedulerMixin, _ParamScheduler):
    """FixMatch's schedule: ``lr * cos(pi * cycles * k / K)`` at step k of K.

    With the 7/16 of FixMatch (arXiv:2001.07685) and SimMatch the rate ends at
    cos(7 pi / 16), about 0.2 of its initial value; with 1/2 it ends at 0. It sets
    the rate itself, so schedulers before it must end at the full rate.

    Args:
        optimizer (Optimizer | OptimWrapper): Filled in by the Runner.
        T_max (int, optional): K. Defaults to None: from ``begin`` to ``end``, which
            follows the run's length if left out.
        cycles (float): Fraction of half a cosine period, in (0, 0.5]. Defaults to 7/16.
        **kwargs: Same as for mmengine's schedulers: ``begin``, ``end``, ``by_epoch``,
            ``last_step``, ``verbose``. ``convert_to_iter_based`` is supported.

    Raises:
        ValueError: If ``T_max`` or ``cycles`` is out of range.
    """

    def __init__(
        self, optimizer: Any, T_max: int | None = None, cycles: float = 7 / 16, **kwargs: Any
    ) -> None:
        if T_max is None:
            if 'end' not in kwargs:
                raise ValueError('FractionalCosineLR needs param_scheduler.T_max or .end')
            T_max = kwargs['end'] - kwargs.get('begin', 0)
        check_at_least(1, 'param_scheduler', T_max=T_max)
        if not 0 < cycles <= 0.5:
            raise ValueError(
                f'param_scheduler.cycles={cycles} must be above 0 and at most 0.5: otherwise '
                'the learning rate would become negative'
            )
        self.T_max = T_max
        self.cycles = cycles
        super().__init__(optimizer, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls, *args: Any, T_max: int | None = None, epoch_length: int, **kwargs: Any
    ) -> 'FractionalCosineLR':
        """Build an iteration-based scheduler from epochs (``convert_to_iter_based``).

        Args:
            *args: The optimizer.
            T_max (int, optional): K in epochs.
            epoch_length (int): Iterations per epoch.
            **kwargs: Same as the constructor's.

        Returns:
            FractionalCosineLR: The iteration-based scheduler.
        """
        for key in ('begin', 'end'):
            if key in kwargs:
                kwargs[key] = int(kwargs[key] * epoch_length)
        length = None if T_max is None else T_max * epoch_length
        return cls(*args, **dict(kwargs, T_max=length, by_epoch=False))

    def _get_value(self) -> list[float]:
        factor = math.cos(math.pi * self.cycles * min(self.last_step / self.T_max, 1.0))
        return [base * factor for base in self.base_values]
