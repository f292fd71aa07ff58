"""tools/launch.py: the last words of several ranks."""

import json
import subprocess
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from mmrel.utils.command_line import run_command
from tests.commands import TINY, command, environment, folders, module_of

LAUNCH = module_of('launch.py')


def _failure(rank: int, exitcode: int, file: Path) -> ProcessFailure:
    return ProcessFailure(local_rank=rank, pid=1, exitcode=exitcode, error_file=str(file))


def test_a_rank_tells_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / '1').mkdir()
    file = tmp_path / '1' / 'error.json'
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(file))
    monkeypatch.setenv('MMREL_LAUNCHER', '1')
    monkeypatch.setenv('RANK', '1')

    def fails() -> None:
        raise ValueError('a.png cannot be decoded')

    with pytest.raises(SystemExit):
        run_command(fails)
    assert capsys.readouterr().err == ''
    assert json.loads(file.read_text())['message']['extraInfo']['timestamp'].isdecimal()
    failures = {0: _failure(0, -15, tmp_path / 'none'), 1: _failure(1, 1, file)}
    failures[0].timestamp += 5
    text = LAUNCH.describe(ChildFailedError('train.py', failures))
    assert text.splitlines()[0] == 'error: rank 1: a.png cannot be decoded'


@pytest.mark.parametrize(
    ('exitcode', 'text'),
    [
        (-9, 'error: rank 2 was terminated by SIGKILL'),
        (143, 'error: rank 2 was terminated by SIGTERM'),
        (2, 'error: rank 2 exited with status 2'),
    ],
)
def test_a_rank_that_tells_nothing_is_named(tmp_path: Path, exitcode: int, text: str) -> None:
    failures = {2: _failure(2, exitcode, tmp_path / 'none')}
    assert LAUNCH.describe(ChildFailedError('train.py', failures)) == text


@pytest.mark.slow
def test_the_screen_of_two_ranks_ends_with_their_error(tmp_path: Path) -> None:
    missing = tmp_path / 'missing'
    words = command('dist_train.sh', TINY, 2, '--work-dir', tmp_path / 'w', *folders(missing))
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(environment(), PORT='29631'),
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith('error: '))
    assert str(missing) in lines[at]
    assert len(lines) - at <= 2
    assert not any('Traceback' in line for line in lines)
    assert not any('OneDL' in line or 'MultiScale' in line for line in lines)
