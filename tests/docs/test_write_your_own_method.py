"""The guide's example, taken from its text, runs and is as short as the guide says."""

import re
from pathlib import Path

import pytest
import torch

from mmrel.utils import load_checkpoint_file
from tests.commands import ROOT, call, folders

GUIDE = ROOT / 'docs' / 'write_your_own_method.md'


def _files() -> dict[str, str]:
    blocks = re.findall(r'^```python\n# (\S+)\n(.*?)^```', GUIDE.read_text(), re.M | re.S)
    return dict(blocks)


def test_the_example_trains_on_a_folder(images: Path, tmp_path: Path) -> None:
    files = _files()
    assert sorted(files) == ['my_config.py', 'my_method/algorithm.py', 'my_method/head.py']
    assert sum(len(text.splitlines()) + 1 for text in files.values()) < 120
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        # The guide's reader is in the repository's root.
        path.write_text(text.replace("['configs/", f"['{ROOT}/configs/"))
    output = call(
        'train.py', 'my_config.py', '--work-dir', 'w', *folders(images), 'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=16', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0',
        'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=1',
        'model.memory.size=64',
        cwd=tmp_path, paths=[tmp_path],
    )  # fmt: skip
    losses = [float(x) for x in re.findall(r'Epoch\(train\).* loss: ([\d.]+)', output)]
    assert len(losses) == 3
    assert all(0 < loss < 2 for loss in losses)  # one minus a cosine
    assert 'knn200/top1' in output
    state = load_checkpoint_file(tmp_path / 'w' / 'epoch_1.pth')['state_dict']
    assert state['memory.pointer'].item() == 48
    written = state['memory.queue'][:, :48]
    torch.testing.assert_close(written.norm(dim=0), torch.ones(48))


def test_the_head_is_what_its_text_says() -> None:
    namespace: dict = {}
    exec(_files()['my_method/head.py'].replace('@MODELS.register_module()', ''), namespace)
    with pytest.raises(ValueError, match=r'head\.k=0'):
        namespace['NearestEntriesHead'](0)
    student, teacher = torch.rand(2, 3, 9), torch.rand(3, 9)
    slow = sum(
        1 - sum(student[v, i, j] for j in teacher[i].argsort()[-2:]) / 2
        for v in range(2)
        for i in range(3)
    )
    torch.testing.assert_close(namespace['NearestEntriesHead'](2)(student, teacher), slow / 6)
