"""Commands in this process find and leave the state of a new one; each tool starts alone."""

import os
import random
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope, init_default_scope

from mmrel.utils import load_checkpoint_file
from tests.commands import ROOT, TINY, TINY_KSHOT, TINY_SEARCH, call, folders, run
from tests.process_state import as_in_a_new_process


def _state() -> list:
    scope = DefaultScope.get_current_instance()
    return [
        dict(os.environ), os.getcwd(), sys.path[:], sys.argv, warnings.filters[:],
        signal.getsignal(signal.SIGTERM), torch.get_num_threads(), torch.is_grad_enabled(),
        torch.backends.cudnn.benchmark, torch.get_rng_state().tolist(), random.getstate(),
        np.random.get_state()[1].tolist(), None if scope is None else scope.scope_name,
        list(MMLogger._instance_dict), list(MessageHub._instance_dict),
    ]  # fmt: skip


def test_all_that_a_command_may_change_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('RANK', '5')
    hub = MessageHub.get_instance('outer')
    before = _state()
    with as_in_a_new_process():
        assert 'RANK' not in os.environ
        assert 'outer' not in MessageHub._instance_dict
        os.environ['LOCAL_RANK'] = '3'
        os.chdir(tmp_path)
        sys.path.insert(0, str(tmp_path))
        warnings.simplefilter('error')
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        torch.set_num_threads(2)
        torch.set_grad_enabled(False)
        torch.backends.cudnn.benchmark = True
        torch.rand(1), np.random.rand(), random.random()
        MMLogger.get_instance('inner', log_file=str(tmp_path / 'log'))
        init_default_scope('mmpretrain')
    for found, expected in zip(_state(), before, strict=True):
        assert found == expected
    assert MessageHub.get_instance('outer') is hub


def test_two_trainings_in_one_process_are_two(images: Path, tmp_path: Path) -> None:
    short = [*folders(images), 'train_cfg.max_epochs=1', 'train_dataloader.num_workers=0',
             'train_dataloader.persistent_workers=False']  # fmt: skip
    before, states = _state(), []
    for name in 'ab':
        call('train.py', TINY, '--work-dir', tmp_path / name, *short)
        states.append(load_checkpoint_file(tmp_path / name / 'epoch_1.pth'))
        assert len(list((tmp_path / name).glob('*/vis_data/scalars.json'))) == 1
    assert _state() == before
    torch.testing.assert_close(*(s['state_dict'] for s in states), rtol=0, atol=0)
    with pytest.raises(FileNotFoundError, match=r'/no/such\.pth'):
        call('test.py', TINY, '/no/such.pth', '--work-dir', tmp_path, *short)
    assert _state() == before


NONE = '/no/such/file'


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['train.py', TINY, '--resume', f'{NONE}.pth'], f'{NONE}.pth'),
        *(
            pytest.param(words, message, marks=pytest.mark.slow)
            for words, message in (
                (['test.py', TINY, f'{NONE}.pth'], f'{NONE}.pth'),
                (['search.py', TINY_SEARCH, f'{NONE}.pth'], f'{NONE}.pth'),
                (['model_converters/publish_model.py', f'{NONE}.pth', 'out.pth'], f'{NONE}.pth'),
                (['model_converters/official_to_mmrel.py', 'wcl', f'{NONE}.pth', 'out.pth'], NONE),
                (['analysis/path_codes.py', TINY_KSHOT, f'{NONE}.pth', '--out', 'a.png'], NONE),
                (['analysis/study.py', f'{NONE}.py', '--work-dir', 'w'], NONE),
                (
                    [
                        'analysis/score_paths.py',
                        TINY_SEARCH,
                        f'{NONE}.pth',
                        f'{NONE}.jsonl',
                        '--out',
                        'o',
                    ],
                    NONE,
                ),
            )
        ),
    ],
    ids=lambda x: x[0] if isinstance(x, list) else '',
)
def test_a_started_command_fails_with_its_error(
    words: list, message: str, images: Path, tmp_path: Path
) -> None:
    """Its exit status is not zero, and the last lines name the file."""
    data = folders(images) if words[0] in ('train.py', 'test.py', 'search.py') else []
    if words[0] == 'search.py':
        data.append(f'test_dataloader.dataset.data_root={images}')
    output = run(*words, *data, fails=True, cwd=tmp_path)
    assert message in '\n'.join(output.strip().splitlines()[-4:])


@pytest.mark.slow
@pytest.mark.parametrize(
    'tool',
    [
        str(path.relative_to(ROOT / 'tools'))
        for path in sorted((ROOT / 'tools').rglob('*.py'))
        if 'studies' not in path.parts
    ],
)
def test_every_tool_starts_from_any_folder(tool: str, tmp_path: Path) -> None:
    assert run(tool, '--help', cwd=tmp_path).startswith('usage: ')
