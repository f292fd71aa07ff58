"""Every config in configs/downstream trains: by our command, by theirs, and step by step."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from mmrel.utils.network_record import network_record
from mmrel.utils.publish import publish
from tests.commands import ROOT, call
from tests.downstream.data import make_bccd, make_camvid

CONFIGS = sorted((ROOT / 'configs' / 'downstream').glob('mm*/*.py'))
SMALL = [path for path in CONFIGS if 'resnet18-w16' in path.stem]
SCORES = dict(mmseg='mIoU', mmdet='coco/bbox_mAP')


def _package(config: Path) -> str:
    return config.parent.name


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user stands: data/camvid and data/bccd are below."""
    root = tmp_path_factory.mktemp('user')
    make_camvid(root / 'data' / 'camvid')
    make_bccd(root / 'data' / 'bccd')
    return root


def _checkpoint(cfg: Config, folder: Path) -> str:
    """A published file of the config's backbone."""
    settings = {k: v for k, v in cfg.model.backbone.items() if k != 'init_cfg'}
    backbone = MODELS.build(dict(settings))
    backbone.init_weights()
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    meta = dict(network=network_record(dict(model=dict(type='ReSSL', backbone=settings))))
    return publish(dict(state_dict=state, meta=meta), str(folder / 'published.pth'))


def _short(cfg: Config, checkpoint: str, work_dir: Path) -> list[str]:
    by_epoch = 'max_epochs' in cfg.train_cfg
    length = ['train_cfg.max_epochs=1'] if by_epoch else ['train_cfg.max_iters=2']
    return [
        '--work-dir',
        str(work_dir),
        '--cfg-options',
        *length,
        'param_scheduler.0.end=1',
        'param_scheduler.0.start_factor=0.5',
        # So that a network that has learned nothing yet finds boxes.
        *(f'model.test_cfg.{key}score_thr=0' for key in _thresholds(cfg)),
        *([] if by_epoch else ['param_scheduler.1.begin=1']),
        f'train_cfg.val_interval={1 if by_epoch else 2}',
        'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0',
        'val_dataloader.persistent_workers=False',
        f'model.backbone.init_cfg.checkpoint={checkpoint}',
    ]


def _thresholds(cfg: Config) -> list[str]:
    return ['rcnn.'] if 'rcnn' in cfg.model.test_cfg else [''] * ('nms' in cfg.model.test_cfg)


def _check_run(output: str, package: str, checkpoint: str, work_dir: Path) -> None:
    assert re.search(rf'{SCORES[package]}: +-?\d', output), output[-3000:]
    (last,) = work_dir.glob('*_[0-9].pth')
    state = load_checkpoint_file(last)['state_dict']
    given = torch.load(checkpoint, weights_only=True)['state_dict']
    # Loaded, then trained for a moment: still close to what was loaded.
    key = 'backbone.layer2.0.conv1.weight'
    assert 0 < (state[key] - given[key]).norm() < 0.5 * given[key].norm()


@pytest.mark.parametrize('config', SMALL, ids=lambda path: path.stem)
def test_our_command(config: Path, folder: Path, tmp_path: Path) -> None:
    cfg = Config.fromfile(config)
    checkpoint = _checkpoint(cfg, tmp_path)
    words = _short(cfg, checkpoint, tmp_path / 'run')
    amp = ['--amp'] * (
        config == SMALL[0]
    )  # one config, since bf16 is slow without its instructions
    output = call('train.py', config, *amp, *words, cwd=folder)
    _check_run(output, _package(config), checkpoint, tmp_path / 'run')
    (last,) = (tmp_path / 'run').glob('*_[0-9].pth')
    options = words[words.index('--cfg-options') :]
    tested = call('test.py', config, last, '--work-dir', tmp_path / 'test', *options, cwd=folder)
    assert re.search(rf'{SCORES[_package(config)]}: +-?\d', tested), tested[-3000:]


@pytest.mark.parametrize('config', [SMALL[0], SMALL[-1]], ids=lambda path: path.stem)
def test_their_command(config: Path, folder: Path, tmp_path: Path) -> None:
    package = _package(config)
    cfg = Config.fromfile(config)
    checkpoint = _checkpoint(cfg, tmp_path)
    tool = Path(importlib.import_module(package).__file__).parent / '.mim' / 'tools' / 'train.py'
    words = [sys.executable, tool, config, *_short(cfg, checkpoint, tmp_path / 'run')]
    done = subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    _check_run(output, package, checkpoint, tmp_path / 'run')


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_the_whole_backbone_is_loaded(config: Path, tmp_path: Path) -> None:
    registry = importlib.import_module(f'{_package(config)}.registry').MODELS
    cfg = Config.fromfile(config)
    cfg.model.backbone.init_cfg.checkpoint = _checkpoint(cfg, tmp_path)
    init_default_scope(_package(config))
    model = registry.build(cfg.model)
    model.init_weights()
    given = torch.load(cfg.model.backbone.init_cfg.checkpoint, weights_only=True)['state_dict']
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, given[f'backbone.{key}'])
