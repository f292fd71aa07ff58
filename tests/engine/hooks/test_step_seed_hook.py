import random
from types import SimpleNamespace

import numpy as np
import torch

from mmrel.engine.hooks import StepSeedHook


def _drawn(seed: int, step: int) -> tuple:
    StepSeedHook().before_train_iter(SimpleNamespace(seed=seed, iter=step), 0)
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_draws_follow_from_seed_and_step_alone() -> None:
    first = _drawn(0, 5)
    random.random(), np.random.rand(3), torch.rand(4)
    assert _drawn(0, 5) == first
    for other in (_drawn(0, 6), _drawn(1, 5)):
        assert all(a != b for a, b in zip(other, first, strict=True))
