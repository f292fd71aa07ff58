"""The first part of a run, in which a method works differently."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from mmengine.logging import print_log

from mmrel.utils.checks import check_at_least, check_keys

from .progress import run_position


@dataclass(frozen=True)
class Warmup:
    """The length of a warm-up, in epochs or in iterations.

    Its position follows the Runner's iteration, which is in the checkpoint, so it
    continues correctly after a resume.

    Args:
        epochs (float, optional): Length in epochs, may be fractional; 0 disables the
            warm-up. An iteration-based run counts as one epoch. Defaults to None.
        iters (float, optional): Length in iterations, instead. Defaults to None.
        key (str): The config key that holds the lengths, for messages.

    Raises:
        ValueError: If the length is negative, or not exactly one length is given.
    """

    epochs: float | None = None
    iters: float | None = None
    key: str = 'warmup'

    def __post_init__(self) -> None:
        """Check the length."""
        lengths = f'{self.key}.epochs={self.epochs} and {self.key}.iters={self.iters}'
        if (self.epochs is None) == (self.iters is None):
            raise ValueError(f'{lengths}: give only one of them, and set the other to None')
        check_at_least(0, self.key, epochs=self.epochs, iters=self.iters)

    @classmethod
    def from_config(cls, key: str, config: Mapping | None, **old: float | None) -> 'Warmup':
        """The warm-up of a config that may have the keys of version 0.1.

        Args:
            key (str): The config key.
            config (Mapping, optional): ``epochs`` or ``iters``. None: no warm-up.
            **old (float, optional): The values of ``KEY_epochs`` and ``KEY_iters``. If
                one is given, it takes precedence, with a warning.

        Returns:
            Warmup: The warm-up.

        Raises:
            ValueError: If the config has another key, or as for the class.
        """
        check_keys(key, config, ('epochs', 'iters'))
        given = {unit: value for unit, value in old.items() if value is not None}
        if given:
            before = ', '.join(f'{key}_{unit}={value}' for unit, value in given.items())
            now = ', '.join(f'{unit}={value}' for unit, value in given.items())
            print_log(
                f'{before} is now {key}=dict({now}); the old key will be removed in version 0.3',
                logger='current',
                level=logging.WARNING,
            )
        return cls(**(given or config or dict(epochs=0)), key=key)

    def left(self) -> float:
        """The share of the warm-up that is left, from 1 to 0.

        Raises:
            RuntimeError: If there is a warm-up and no Runner has set the length of the
                run.
        """
        if self.iters:
            return max(1.0 - run_position(f'{self.key}.iters')[0] / self.iters, 0.0)
        if not self.epochs:
            return 0.0
        done, max_iters, max_epochs = run_position(f'{self.key}.epochs')
        return max(1.0 - done * max_epochs / (self.epochs * max_iters), 0.0)

    def over(self) -> bool:
        """Whether it is over; see :meth:`left`."""
        return self.left() == 0

    def check_end(self, consequence: str) -> None:
        """Refuse a warm-up that leaves nothing of the run.

        Args:
            consequence (str): What this means, for the message.

        Raises:
            ValueError: If the warm-up is not shorter than the run.
            RuntimeError: As :meth:`left`.
        """
        for unit, value in (('iters', self.iters), ('epochs', self.epochs)):
            if value:
                _, max_iters, max_epochs = run_position(f'{self.key}.{unit}')
                run = max_iters if unit == 'iters' else max_epochs
                if value >= run:
                    raise ValueError(
                        f'{self.key}.{unit}={value} is not shorter than the run of {run} {unit} '
                        f'(an iteration-based run is one epoch): {consequence}; shorten the warm-up'
                    )
