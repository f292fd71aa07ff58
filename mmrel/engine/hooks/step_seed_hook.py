"""Derive each step's random draws from the run's seed and the step."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Reseed ``random``, NumPy and torch before each step.

    A resumed run then mixes images and drops paths exactly like an uninterrupted
    one, although checkpoints do not hold the states of these generators. Ranks
    draw different numbers. Samples have separate seeds (:class:`.EpochSampler`).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Seed by (seed, iteration, rank)."""
        entropy = (runner.seed, runner.iter, get_rank())
        words = np.random.SeedSequence(entropy).generate_state(3).tolist()
        random.seed(words[0])
        np.random.seed(words[1])
        torch.manual_seed(words[2])
