"""Loading a checkpoint never runs what it carries."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

from mmrel.utils import load_checkpoint_file


class _Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


@pytest.fixture
def attack(tmp_path: Path) -> tuple[Path, Path]:
    sign = tmp_path / 'it-ran'
    file = tmp_path / 'attack.pth'
    torch.save(dict(state_dict={'weight': torch.zeros(2, 2)}, meta=_Attack(sign)), file)
    return file, sign


def test_the_attack_works_where_loading_is_unrestricted(attack: tuple[Path, Path]) -> None:
    file, sign = attack
    torch.load(file, weights_only=False)
    assert sign.exists()


@pytest.mark.parametrize('way', ['ours', 'mmengine', 'model', 'fallback'])
def test_a_checkpoint_that_carries_code_is_refused(attack: tuple[Path, Path], way: str) -> None:
    file, sign = attack
    load = dict(
        ours=load_checkpoint_file,
        mmengine=CheckpointLoader.load_checkpoint,
        model=lambda f: load_checkpoint(torch.nn.Linear(2, 2), f),
        fallback=_fallback,
    )[way]
    with pytest.raises(RuntimeError, match=r'attack\.pth.*refused.*could run code'):
        load(str(file))
    assert not sign.exists()


def _fallback(path: str) -> object:
    from mmengine.runner import checkpoint

    return checkpoint._safe_torch_load(path)


def test_what_a_training_checkpoint_holds_is_loaded(tmp_path: Path) -> None:
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    content = dict(
        state_dict={'w': torch.randn(3)},
        message_hub=dict(log_scalars={'loss': history}, runtime_info={'lr': np.float64(0.1)}),
        meta=dict(epoch=3, dataset_meta=dict(classes=('a', 'b'))),
    )
    torch.save(content, tmp_path / 'good.pth')
    loaded = load_checkpoint_file(tmp_path / 'good.pth')
    torch.testing.assert_close(loaded['state_dict']['w'], content['state_dict']['w'])
    assert loaded['message_hub']['log_scalars']['loss'].mean() == history.mean()
    assert loaded['message_hub']['runtime_info']['lr'] == 0.1
    assert loaded['meta'] == content['meta']


class _Getattr:
    """Asks for an attribute of an allowed class by ``getattr``."""

    def __init__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self) -> tuple:
        return getattr, (self.owner, self.name)


@pytest.mark.parametrize(
    ('owner', 'name'), [(HistoryBuffer, '__init__'), (np.ndarray, 'tofile'), (np.dtype, 'mean')]
)
def test_getattr_gives_a_historys_statistics_only(tmp_path: Path, owner: type, name: str) -> None:
    torch.save(dict(x=_Getattr(owner, name)), tmp_path / 'sly.pth')
    with pytest.raises(RuntimeError, match='refused'):
        load_checkpoint_file(tmp_path / 'sly.pth')


@pytest.mark.parametrize('content', [b'', b'no checkpoint at all', 'cut'])
def test_damaged_files_are_named(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / 'damaged.pth'
    if content == 'cut':
        torch.save(dict(x=torch.randn(100)), file)
        content = file.read_bytes()[:-300]
    file.write_bytes(content)
    with pytest.raises(RuntimeError, match=r'damaged\.pth'):
        load_checkpoint_file(file)


def test_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth' does not exist"):
        load_checkpoint_file('nowhere.pth')


def test_an_address_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(OSError, match=r"'http://127\.0\.0\.1:9/none\.pth' cannot be downloaded"):
        CheckpointLoader.load_checkpoint('http://127.0.0.1:9/none.pth', 'cpu', logger='silent')
