from types import SimpleNamespace

import pytest

from mmrel.engine.hooks import LabeledSetHook


def test_it_needs_a_semi_supervised_set() -> None:
    """Numbers that do not fit are tested by the command, in tests/tools/test_train_simmatch.py."""
    loader = SimpleNamespace(dataset=[0, 1])
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), model=None)
    with pytest.raises(TypeError, match='type=SemiSupervisedDataset, not list'):
        LabeledSetHook().before_train(runner)
