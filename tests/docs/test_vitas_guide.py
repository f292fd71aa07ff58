"""The examples of docs/vitas.md, taken from its text, run."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmrel.spaces import ViTASSpace
from tests.commands import ROOT, call, environment

GUIDE = ROOT / 'docs' / 'vitas.md'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The guide's files; its reader is in the repository's root."""
    blocks = dict(re.findall(r'^```python\n# (\S+)\n(.*?)^```', GUIDE.read_text(), re.M | re.S))
    assert sorted(blocks) == ['cut_out.py', 'my_depth_space.py', 'my_space.py', 'my_spaces.py']
    for name, text in blocks.items():
        (tmp_path / name).write_text(text.replace("['configs/", f"['{ROOT}/configs/"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('config', ['my_space.py', 'my_depth_space.py'])
def test_spaces_of_ones_own_train(folder: Path, config: str) -> None:
    output = call(
        'train.py', config, '--work-dir', 'w', '--cfg-options', 'train_cfg.max_epochs=1',
        'param_scheduler.0.end=0.5', 'param_scheduler.1.begin=0.5',
        'train_cfg.val_interval=1', 'train_dataloader.dataset.indices=128',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0', 'default_hooks.logger.interval=1',
        cwd=folder, paths=[folder],
    )  # fmt: skip
    assert len(re.findall(r'Epoch\(train\).* loss: ', output)) == 2
    assert 'accuracy/top1' in output


@pytest.mark.slow
def test_the_cut_out_network_is_the_path(folder: Path) -> None:

    done = subprocess.run(
        [sys.executable, 'cut_out.py'],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (difference,) = re.findall(r'tensor\((\S+?)\)', done.stdout)
    assert float(difference) < 1e-5


def test_the_depth_space_searches_the_depth(folder: Path) -> None:
    namespace: dict = {}
    text = (folder / 'my_spaces.py').read_text().replace('@SEARCH_SPACES.register_module()', '')
    exec(text, namespace)
    sizes = dict(embed_dims=64, qkv_dims=192, mlp_dims=192, depth=6, num_classes=10)
    space = namespace['DepthSpace'](32, 4, 4, **sizes)
    assert isinstance(space, ViTASSpace)
    assert space.size == 2**6
    draws = space.sample_indices(200, np.random.default_rng(0))
    for path, number in zip(space.paths(draws), space.blocks(draws), strict=True):
        assert number == sum(block is not None for block in space.network(path)['blocks'])
