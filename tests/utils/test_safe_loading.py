"""Where mmengine's loader is made safe: by the import, by what asks for it, or in a block."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmrel.models.init import PretrainedInit
from mmrel.utils import safe_loading, use_safe_loading
from tests.commands import ROOT, TINY


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


@pytest.fixture
def attack(tmp_path: Path) -> tuple[str, Path]:
    sign, file = tmp_path / 'it-ran', tmp_path / 'attack.pth'
    torch.save(dict(state_dict={'weight': torch.zeros(2, 2)}, meta=_Attack(sign)), file)
    return str(file), sign


@pytest.fixture
def unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose loader is not mmrel's."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', {'': _theirs})
    monkeypatch.setattr(mmengine_checkpoint, 'load_from_http', _theirs)
    monkeypatch.setattr(mmengine_checkpoint, '_safe_torch_load', _theirs, raising=False)


def _theirs(filename: str, map_location: Any = None) -> Any:
    # What mmrel replaces: the forks' loader falls back to this. It only reads this file's attack.
    return torch.load(filename, map_location, weights_only=False)


def _is_theirs() -> bool:
    functions = [mmengine_checkpoint.load_from_http, mmengine_checkpoint._safe_torch_load]
    return CheckpointLoader._schemes == {'': _theirs} and functions == [_theirs, _theirs]


def test_our_initializer_is_safe_and_leaves_the_process_alone(
    unsafe: None, attack: tuple[str, Path]
) -> None:
    file, sign = attack
    with pytest.raises(RuntimeError, match='refused'):
        PretrainedInit(file)(torch.nn.Linear(2, 2))
    assert _is_theirs()
    assert not sign.exists()
    CheckpointLoader.load_checkpoint(file, 'cpu', logger='silent')
    assert sign.exists()


def test_a_function_makes_the_whole_process_safe(unsafe: None, attack: tuple[str, Path]) -> None:
    use_safe_loading()
    assert not _is_theirs()
    with pytest.raises(RuntimeError, match='refused'):
        CheckpointLoader.load_checkpoint(attack[0], 'cpu', logger='silent')


@pytest.mark.parametrize(('value', 'safe'), [(None, True), ('1', True), ('', True), ('0', False)])
def test_an_import_does_unless_it_is_told_not_to(
    unsafe: None, monkeypatch: pytest.MonkeyPatch, value: str | None, safe: bool
) -> None:
    monkeypatch.delenv('MMREL_SAFE_LOADING', raising=False)
    if value is not None:
        monkeypatch.setenv('MMREL_SAFE_LOADING', value)
    safe_loading.use_safe_loading_on_import()
    assert _is_theirs() is not safe


@pytest.mark.parametrize(('value', 'safe'), [('1', True), ('0', False)])
def test_only_the_import_protects_mmengines_own_runner(
    unsafe: None,
    monkeypatch: pytest.MonkeyPatch,
    attack: tuple[str, Path],
    tmp_path: Path,
    value: str,
    safe: bool,
) -> None:
    """It runs on mmrel's models, and nothing of mmrel is called before it loads."""
    file, sign = attack
    monkeypatch.setenv('MMREL_SAFE_LOADING', value)
    safe_loading.use_safe_loading_on_import()
    model = Config.fromfile(TINY).model
    runner = Runner(
        model, str(tmp_path / 'w'), default_scope='mmrel', experiment_name=f'import{value}'
    )
    with pytest.raises(RuntimeError, match='refused') if safe else nullcontext():
        runner.load_checkpoint(file)
    assert sign.exists() is not safe


def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMREL_SAFE_LOADING', 'off')
    with pytest.raises(ValueError, match="MMREL_SAFE_LOADING='off' must be 1"):
        safe_loading.use_safe_loading_on_import()


_WAYS = (
    'mmrel.apis.load_config(TINY)',
    'mmrel.apis.build_runner(Config.fromfile(TINY))',
    'mmrel.apis.get_model(TINY)',
    'mmrel.utils.register_all_modules()',
    'mmrel.utils.command_line.run_command(lambda: None)',
)
_SCRIPT = """
import sys
from mmengine.config import Config
from mmengine.runner import checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
NAMES = ('load_from_http', '_safe_torch_load')
schemes = dict(CheckpointLoader._schemes)
functions = {name: getattr(checkpoint, name, None) for name in NAMES}

import mmrel.apis, mmrel.models, mmrel.utils.command_line
TINY, FILE, *ways = sys.argv[1:]
for way in ways:
    # Neither the import nor the way before has changed anything.
    assert CheckpointLoader._schemes == schemes
    assert functions == {name: getattr(checkpoint, name, None) for name in NAMES}
    with mmrel.utils.safe_loading.safe_loading():  # puts mmengine's back at the end
        CheckpointLoader._schemes = dict(schemes)
        eval(way)
        try:
            CheckpointLoader.load_checkpoint(FILE, 'cpu', logger='silent')
        except RuntimeError as error:
            assert 'refused' in str(error), error
            print(way, 'is safe')
"""


def test_what_asks_for_mmrel_makes_the_process_safe(
    attack: tuple[str, Path], tmp_path: Path
) -> None:
    """Even if the import was told not to."""
    file, sign = attack
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = [{str(TINY)!r}]\nwork_dir = {str(tmp_path / "w")!r}\n')
    done = subprocess.run(
        [sys.executable, '-c', _SCRIPT, str(config), file, *_WAYS],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, 'MMREL_SAFE_LOADING': '0'},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.endswith('is safe')]
    assert lines == [f'{way} is safe' for way in _WAYS], done.stdout + done.stderr
    assert not sign.exists()
