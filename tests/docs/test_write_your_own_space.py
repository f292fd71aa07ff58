"""The guide's space, taken from its text, is trained, searched and retrained by the commands."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.utils import load_checkpoint_file
from tests.commands import ROOT, call

GUIDE = ROOT / 'docs' / 'write_your_own_space.md'
FILES = ['my_search.py', 'my_space/network.py', 'my_space/space.py', 'my_supernet.py']


def _write(folder: Path) -> int:
    """Write the guide's files; how many lines they have."""
    blocks = dict(re.findall(r'^```python\n# (\S+)\n(.*?)^```', GUIDE.read_text(), re.M | re.S))
    assert sorted(blocks) == FILES
    for name, text in blocks.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        # The guide's reader is in the repository's root.
        path.write_text(text.replace("'configs/", f"'{ROOT}/configs/"))
    lines = [line for text in blocks.values() for line in text.splitlines()]
    return sum(bool(line.strip()) for line in lines)


def test_the_space_is_short_and_its_closed_forms_are_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mmrel_scope: None
) -> None:
    assert _write(tmp_path) < 100
    monkeypatch.syspath_prepend(tmp_path)
    import_modules_from_strings(['my_space.network', 'my_space.space'])
    space = SEARCH_SPACES.build(dict(type='KernelSpace', depth=3, channels=8, input_size=20))
    for seed in range(4):
        path = space.sample(np.random.default_rng(seed))
        network = MODELS.build(space.subnet(path)).eval()
        indices = space.indices([path])
        assert sum(p.numel() for p in network.parameters()) == space.parameters(indices)[0]
        counted = FlopCountAnalysis(network, torch.zeros(1, 3, 20, 20))
        counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        by_kind = counted.by_operator()
        assert by_kind['conv'] + by_kind['linear'] == space.flops(indices)[0]


@pytest.mark.slow
def test_the_space_is_trained_searched_and_retrained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path)
    # Commands in this process share the registries, so the modules are imported once.
    monkeypatch.syspath_prepend(tmp_path)
    import_modules_from_strings(['my_space.network', 'my_space.space'])
    here = dict(cwd=tmp_path, paths=[tmp_path])
    short = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
             'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
             'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']  # fmt: skip
    call(
        'train.py', 'my_supernet.py', '--work-dir', 'supernet', '--cfg-options', *short,
        'model.warmup.epochs=0', 'default_hooks.checkpoint.interval=1', **here,
    )  # fmt: skip
    call(
        'search.py', 'my_search.py', 'supernet/epoch_1.pth', '--work-dir', 'search',
        '--cfg-options', 'test_cfg.population=4', **here,
    )  # fmt: skip
    retrain = tmp_path / 'search' / 'retrain.py'
    cfg = Config.fromfile(retrain, import_custom_modules=False)
    assert cfg.custom_imports.imports == ['my_space.network', 'my_space.space']
    assert len(cfg.model.backbone.kernels) == 3
    # Its folder and its base need not exist any more.
    moved = tmp_path / 'elsewhere.py'
    moved.write_text(retrain.read_text())
    call(
        'train.py', moved, '--work-dir', 'retrained', '--cfg-options', *short,
        'default_hooks.checkpoint.interval=1', **here,
    )  # fmt: skip
    state = load_checkpoint_file(tmp_path / 'retrained' / 'epoch_1.pth')['state_dict']
    shapes = [state[f'backbone.layers.{i}.conv.weight'].shape[-1] for i in range(3)]
    assert shapes == cfg.model.backbone.kernels
