from types import SimpleNamespace

import pytest

from mmrel.engine.hooks import LabeledSetHook


def test_it_needs_a_semi_supervised_set() -> None:
    """tests/tools/test_train_simmatch.py tests mismatched numbers, with the command."""
    loader = SimpleNamespace(dataset=[0, 1])
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), model=None)
    with pytest.raises(TypeError, match='type=SemiSupervisedDataset, not list'):
        LabeledSetHook().before_train(runner)
