"""tools/train.py with ViTAS: resume, two processes, another space, retraining."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmrel.models.supernets import PathSampler
from mmrel.registry import SEARCH_SPACES
from mmrel.utils import load_checkpoint_file
from tests.commands import ROOT, TINY_VITAS, call, folders, run


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs (of 6 steps) without interruption."""
    work_dir = tmp_path_factory.mktemp('vitas')
    call('train.py', TINY_VITAS, '--work-dir', work_dir, *folders(images))
    return work_dir


def _state(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint_file(path)['state_dict']


def test_it_trains_and_validates(trained: Path, images: Path, tmp_path: Path) -> None:
    (log,) = trained.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    values = [line['accuracy/top1'] for line in lines if 'accuracy/top1' in line]
    assert len(values) == 2
    state = _state(trained / 'epoch_2.pth')
    assert state['sampler.state'].tolist() == [5, 12]
    call(
        'test.py', TINY_VITAS, trained / 'epoch_2.pth', '--work-dir', tmp_path,
        '--out', tmp_path / 'out.json', *folders(images),
    )  # fmt: skip
    metrics = json.loads((tmp_path / 'out.json').read_text())
    assert metrics['accuracy/top1'] == pytest.approx(values[-1])
    assert metrics['accuracy/top5'] == 100  # of three classes


def test_a_resumed_run_is_the_run_without_a_stop(images: Path, tmp_path: Path) -> None:
    # With Mixup, CutMix and DropPath, which draw from the process's generators.
    plain = [*folders(images), 'model.backbone.drop_path_rate=0.2']
    whole = tmp_path / 'whole'
    call('train.py', TINY_VITAS, '--work-dir', whole, *plain)
    part = tmp_path / 'part'
    part.mkdir()
    (part / 'epoch_1.pth').write_bytes((whole / 'epoch_1.pth').read_bytes())
    call('train.py', TINY_VITAS, '--work-dir', part, '--resume', part / 'epoch_1.pth', *plain)
    one, other = _state(whole / 'epoch_2.pth'), _state(part / 'epoch_2.pth')
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-5, atol=1e-6, msg=key)


@pytest.mark.slow
def test_two_processes(images: Path, tmp_path: Path) -> None:
    run(
        'dist_train.sh', TINY_VITAS, 2, '--work-dir', tmp_path, *folders(images),
        'train_cfg.max_epochs=1',
    )  # fmt: skip
    assert _state(tmp_path / 'epoch_1.pth')['sampler.state'].tolist() == [5, 3]


def test_a_checkpoint_of_another_space_is_refused(
    trained: Path, images: Path, tmp_path: Path
) -> None:
    output = call(
        'test.py', TINY_VITAS, trained / 'epoch_2.pth', '--work-dir', tmp_path, *folders(images),
        'model.space.mlp_dims=32', fails=True,
    )  # fmt: skip
    assert 'another search space: mlp_dims is 16 in the checkpoint, but 32 in the config' in output


@pytest.mark.slow
def test_a_path_of_the_space_is_retrained(trained: Path, images: Path, tmp_path: Path) -> None:
    # The network of the run's next path, by the config that stands beside the supernet's.
    cfg = Config.fromfile(TINY_VITAS)
    space = SEARCH_SPACES.build(cfg.model.space)
    path = PathSampler(space, seed=1).next()
    subnet = space.subnet(path)
    config = tmp_path / 'retrain.py'
    config.write_text(
        f"_base_ = ['{ROOT}/configs/vitas/vitas_retrain_small_imagefolder32.py']\n"
        f'model = dict(backbone=dict(_delete_=True, **{subnet["backbone"]!r}),\n'
        f'    head=dict(in_channels={subnet["head"]["in_channels"]}, num_classes=3))\n'
        'data_preprocessor = dict(num_classes=3)\n'
        'train_dataloader = dict(batch_size=8, num_workers=0, persistent_workers=False)\n'
        'val_dataloader = dict(num_workers=0)\n'
        'default_hooks = dict(checkpoint=dict(interval=1))\n'
    )
    output = call(
        'train.py', config, '--work-dir', tmp_path / 'w', *folders(images),
        'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.logger.interval=1',
        'param_scheduler.0.end=0.5', 'param_scheduler.1.begin=0.5',
    )  # fmt: skip
    assert len(re.findall(r'Epoch\(train\).* loss: ', output)) == 6
    assert 'accuracy/top1' in output
    weights = _state(tmp_path / 'w' / 'epoch_1.pth')
    assert sum(w.numel() for w in weights.values()) == space.parameters(space.indices([path]))[0]
