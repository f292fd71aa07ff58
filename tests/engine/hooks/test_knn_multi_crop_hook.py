from types import SimpleNamespace

import pytest
import torch

from mmrel.engine import KNNMultiCropHook


@pytest.mark.parametrize(
    ('interval', 'begin', 'expected'),
    [
        (1, 1, [1, 2, 3, 4, 5, 6, 7]),
        (1, 0, [1, 2, 3, 4, 5, 6, 7]),
        (2, 1, [1, 3, 5, 7]),
        (3, 0, [3, 6]),
        (2, 5, [5, 7]),
        (20, 8, []),
    ],
)
def test_epochs_after_which_it_refreshes(interval: int, begin: int, expected: list) -> None:
    hook = KNNMultiCropHook(interval, begin)
    found = []
    hook.refresh = lambda runner: found.append(runner.epoch + 1)
    for epoch in range(8):
        hook.after_train_epoch(SimpleNamespace(epoch=epoch, max_epochs=8))
    assert found == expected


@pytest.mark.parametrize(
    ('interval', 'begin', 'message'),
    [(0, 1, r'\.interval=0 must be at least 1'), (1, -1, r'\.begin=-1 must not be negative')],
)
def test_config_errors(interval: int, begin: int, message: str) -> None:
    with pytest.raises(ValueError, match=f'^KNNMultiCropHook{message}'):
        KNNMultiCropHook(interval, begin)


def test_a_checkpoint_that_is_only_loaded_leaves_the_table() -> None:
    hook = KNNMultiCropHook()
    checkpoint = dict(knn_multi_crop=dict(neighbors=torch.zeros(2, 1)))
    hook.after_load_checkpoint(SimpleNamespace(_resume=False), checkpoint)  # no dataset is read


@pytest.mark.parametrize('key', ['neighbors', 'neighbours'])  # the second is version 0.1's
def test_the_table_of_a_resumed_run_is_loaded(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, loaded = KNNMultiCropHook(), []
    dataset = SimpleNamespace(set_neighbors=loaded.append)
    monkeypatch.setattr(hook, '_dataset', lambda runner: dataset)
    table = torch.tensor([[1], [0]])
    checkpoint = dict(knn_multi_crop={key: table})
    hook.after_load_checkpoint(SimpleNamespace(_resume=True), checkpoint)
    assert torch.equal(loaded[0], table)
