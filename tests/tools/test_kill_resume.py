"""tools/analysis/kill_resume.py: kills, resumes, and what it finds."""

import json
import re
from pathlib import Path

import pytest

from tests.commands import (
    ROOT,
    TINY,
    TINY_KSHOT,
    TINY_SEARCH,
    TINY_VITAS,
    call,
    folders,
    module_of,
    run,
)

TOOL = 'analysis/kill_resume.py'
TOY = ROOT / 'tests' / 'data' / 'tiny_retrain.py'


def _rows(work_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (work_dir / 'runs.jsonl').read_text().splitlines()]


@pytest.mark.slow
def test_one_kill(images: Path, tmp_path: Path) -> None:
    output = run(TOOL, TOY, '--work-dir', tmp_path, '--runs', 1, '--kills', 1, *folders(images))
    (row,) = _rows(tmp_path)
    assert row['equal'], row
    assert row['starts'] == 1 + len(row['kills']) == 2
    assert '1 of 1 runs equal the uninterrupted one' in output
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ['unbroken']


def test_a_run_that_ends_before_its_kill_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, resumed = module_of(TOOL), []
    codes = iter([0, None, 0])  # ends too early; is killed; ends

    def start(command: object, argv: list[str], console: Path, moment: object) -> object:
        resumed.append('--resume' in argv)
        return tool.Start(code=next(codes))

    monkeypatch.setattr(tool, 'start', start)
    unbroken = tool.Start(code=0, events=[(0.0, tool.BEGIN)], end=1.0)
    row = tool.killed_run(None, [], tmp_path / 'run', unbroken, 1, 'seed')
    assert (row['starts'], len(row['kills']), row['failed']) == (2, 1, False)
    assert resumed == [False, False, True]


def test_what_is_wrong_is_said_before_a_run(tmp_path: Path) -> None:
    (tmp_path / 'something').touch()
    with pytest.raises(FileExistsError, match='is not empty: give a new --work-dir'):
        call(TOOL, TOY, '--work-dir', tmp_path)
    with pytest.raises(FileNotFoundError, match=r'no\.pth'):
        call(TOOL, TINY_SEARCH, 'no.pth', '--work-dir', tmp_path / 'new')


@pytest.mark.slow
@pytest.mark.parametrize('config', [TINY, TINY_KSHOT, TINY_VITAS])
def test_methods(config: Path, images: Path, tmp_path: Path) -> None:
    run(TOOL, config, '--work-dir', tmp_path, '--runs', 3, *folders(images))
    rows = _rows(tmp_path)
    assert len(rows) == 3
    assert all(row['kills'] and row['equal'] for row in rows), rows


@pytest.mark.slow
def test_a_search(images: Path, tmp_path: Path) -> None:
    options = [*folders(images), f'test_dataloader.dataset.data_root={images}']
    call('train.py', TINY_SEARCH, '--work-dir', tmp_path / 'supernet', *options)
    supernet = tmp_path / 'supernet' / 'epoch_4.pth'
    run(TOOL, TINY_SEARCH, supernet, '--work-dir', tmp_path / 'k', '--runs', 3, *options)
    assert all(row['kills'] and row['equal'] for row in _rows(tmp_path / 'k'))


@pytest.mark.slow
def test_a_difference_is_found(images: Path, tmp_path: Path) -> None:
    # A hook that changes the weights of resumed runs alone.
    (tmp_path / 'drifting.py').write_text(
        'import torch\n'
        'from mmengine.hooks import Hook\n'
        'from mmrel.registry import HOOKS\n\n\n'
        '@HOOKS.register_module()\n'
        'class DriftHook(Hook):\n'
        '    def before_train(self, runner):\n'
        '        if runner.iter:\n'
        '            with torch.no_grad():\n'
        '                next(runner.model.parameters()).add_(0.01)\n'
    )
    config = tmp_path / 'drift.py'
    config.write_text(
        f"_base_ = ['{TOY}']\n"
        "custom_imports = dict(imports=['drifting', 'tests.data.toy_supernet'])\n"
        'train_cfg = dict(max_epochs=4)\n'
        'default_hooks = dict(checkpoint=dict(interval=1))\n'
        "custom_hooks = [dict(type='DriftHook')]\n"
    )
    arguments = ['--runs', 3, '--kills', 2, *folders(images)]
    output = run(
        TOOL, config, '--work-dir', tmp_path / 'k', *arguments, fails=True, paths=[tmp_path]
    )
    rows = _rows(tmp_path / 'k')
    unequal = [row for row in rows if not row['equal']]
    assert unequal, rows
    assert all(re.search('loss records|state_dict', row['difference']) for row in unequal)
    assert f'{3 - len(unequal)} of 3 runs equal' in output
    assert (tmp_path / 'k' / f'run_{unequal[0]["run"]:03}' / 'console.log').is_file()
