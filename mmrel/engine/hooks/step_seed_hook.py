"""What a step draws follows from the run's seed and the step."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seed ``random``, NumPy and torch anew before each step.

    So a resumed run mixes images and drops paths as the uninterrupted one does:
    no checkpoint holds the states of these generators. Ranks draw apart from each
    other, as mmengine seeds them; samples have seeds of their own
    (:class:`.EpochSampler`).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Seed by (seed, iteration, rank)."""
        entropy = (runner.seed, runner.iter, get_rank())
        words = np.random.SeedSequence(entropy).generate_state(3).tolist()
        random.seed(words[0])
        np.random.seed(words[1])
        torch.manual_seed(words[2])
