"""The InfoNCE warm-up in a run of tools/train.py, also resumed in its middle."""

import json
from pathlib import Path

import pytest
import torch

from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, call, folders

# 6 iterations an epoch: the warm-up ends within the second of four epochs.
WARMUP = (
    "_base_ = ['{base}']\n"
    'model = dict(\n'
    "    predictor=dict(type='MLPNeck', hidden_channels=12, norm_cfg=dict(type='BN1d')),\n"
    "    warmup=dict(type='InfoNCEWarmup', epochs=1.5, transition='{transition}'),\n"
    ')\n'
    'default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1))\n'
    'log_processor = dict(window_size=1)\n'
)


def _logged(work_dir: Path) -> list[float]:
    """The warm-up's part of the loss, iteration by iteration."""
    lines = [
        json.loads(line)
        for log in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in log.read_text().splitlines()
    ]
    return [line['loss_warmup'] for line in lines if 'loss_warmup' in line]


@pytest.mark.slow
@pytest.mark.parametrize('transition', ['switch', 'linear'])
def test_it_ends_at_its_iteration_also_after_a_resume(
    images: Path, tmp_path: Path, transition: str
) -> None:
    config = tmp_path / 'warmup.py'
    config.write_text(WARMUP.format(base=TINY, transition=transition))
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    arguments = [*folders(images), 'default_hooks.checkpoint.max_keep_ckpts=-1']
    call('train.py', config, '--work-dir', whole, *arguments)
    warmup = _logged(whole)
    assert len(warmup) == 24
    assert all(value > 0 for value in warmup[:9])
    assert warmup[9:] == [0] * 15
    call('train.py', config, '--work-dir', parts, '--resume', whole / 'epoch_1.pth', *arguments)
    assert _logged(parts) == warmup[6:]
    ours, theirs = (load_checkpoint_file(path / 'epoch_4.pth') for path in (parts, whole))
    for key, value in theirs['state_dict'].items():
        torch.testing.assert_close(ours['state_dict'][key], value, rtol=0, atol=0, msg=key)
