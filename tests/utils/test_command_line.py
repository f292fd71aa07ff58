import argparse
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger

from mmrel.utils.command_line import ConfigOptions, run_command
from tests.commands import ROOT, environment


def _parsed(*words: str) -> dict[str, str] | None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='changes')
    parser.add_argument('--other')
    return parser.parse_args(words).cfg_options


def test_options_keep_their_text_and_add_up() -> None:
    words = ['--cfg-options', 'a.b=/x/my, [images]=1', 'c=1', '--other', 'x']
    assert _parsed(*words, '--cfg-options', 'c=2', 'd=') == {
        'a.b': '/x/my, [images]=1',
        'c': '2',
        'd': '',
    }
    assert _parsed() is None


@pytest.mark.parametrize('word', ['images/train', '=3', 'a.b'])
def test_a_word_without_key_and_value_is_refused(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        _parsed('--cfg-options', 'a.data_root=my', word)
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f'{word!r} is not KEY=VALUE' in last


def _raise(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        print('working')
        raise error

    return main


def _screen(main: Callable[[], None], capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    with pytest.raises(SystemExit) as end:
        run_command(main)
    assert end.value.code == status
    return capsys.readouterr().err


@pytest.fixture
def no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MMLogger, '_instance_dict', {})


@pytest.mark.usefixtures('no_log')
@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (ValueError('k=0 is not positive'), 'k=0 is not positive'),
        (KeyError('the config has no section'), 'the config has no section'),
        (FileNotFoundError(2, 'No such file or directory', 'a b'),
         "No such file or directory: 'a b'"),
        (FileNotFoundError("config 'x.py' does not exist"), "config 'x.py' does not exist"),
        (OSError(28, 'No space left on device', 'x.pth'),
         "No space left on device: 'x.pth': free disk space and restart with --resume"),
        (MemoryError(), 'out of memory; lower the batch size or num_workers'),
        (torch.OutOfMemoryError('CUDA out of memory. Tried\nmore'),
         'CUDA out of memory. Tried; lower train_dataloader.batch_size'),
        (TypeError('class `A` in mmrel/a.py: class `B` in mmrel/b.py: wrong'), 'wrong'),
        (ValueError('one\n\n  two\nthree'), 'one\ntwo ...'),
        (ValueError('x' * 700), 'x' * 600 + ' ...'),
    ],
)  # fmt: skip
def test_an_error_is_one_line(
    error: Exception, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _screen(_raise(error), capsys) == f'error: {message}\n'


@pytest.mark.usefixtures('no_log')
@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (AttributeError("no attribute 'x'"), "AttributeError: no attribute 'x'"),
        (AssertionError(), 'AssertionError'),
        (KeyError('name'), 'KeyError: name'),
        (IndexError('out of range'), 'IndexError: out of range'),
        (ValueError(), 'ValueError'),
    ],
)
def test_a_fault_of_the_program_says_where_it_was(
    error: Exception,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, last = _screen(_raise(error), capsys).splitlines()
    assert first.startswith(f'error: {message} (test_command_line.py:')
    assert last == 'details: run it again with MMREL_TRACEBACK=1'
    monkeypatch.setenv('MMREL_TRACEBACK', '1')
    lines = _screen(_raise(error), capsys).splitlines()
    assert lines[0].startswith('Traceback')
    assert lines[-1] == first


def test_the_traceback_is_in_the_log_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MMLogger, '_instance_dict', type(MMLogger._instance_dict)())
    log = tmp_path / 'run.log'
    MMLogger.get_instance('test_command_line', log_file=str(log))
    assert _screen(_raise(ValueError('wrong')), capsys) == f'error: wrong\ndetails: {log}\n'
    text = log.read_text()
    assert 'Traceback' in text
    assert text.rstrip().endswith('ValueError: wrong')
    logging.shutdown()


def test_a_closed_log_file_does_not_hide_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MMLogger, '_instance_dict', type(MMLogger._instance_dict)())
    logger = MMLogger.get_instance('test_command_line', log_file=str(tmp_path / 'run.log'))
    for handler in logger.handlers:
        handler.close()
    assert _screen(_raise(ValueError('wrong')), capsys) == 'error: wrong\n'


@pytest.mark.usefixtures('no_log')
def test_ranks_with_the_same_error_report_it_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = {}
    for rank, text in [(2, 'wrong key'), (0, 'wrong key'), (1, 'a.png is broken')]:
        (tmp_path / str(rank)).mkdir()
        monkeypatch.setenv('RANK', str(rank))
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / str(rank) / 'error.json'))
        screens[rank] = _screen(_raise(ValueError(text)), capsys)
    assert screens == {
        2: 'error: rank 2: wrong key\n',
        0: '',
        1: 'error: rank 1: a.png is broken\n',
    }


def test_ctrl_c_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _screen(_raise(KeyboardInterrupt()), capsys, 130) == 'interrupted\n'


def test_an_exit_keeps_its_status() -> None:
    with pytest.raises(SystemExit, match=r'^2$'):
        run_command(lambda: sys.exit(2))


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error() -> None:
    program = 'from mmrel.utils.command_line import run_command\n' + (
        'def main():\n    for i in range(10**6): print(i)\nrun_command(main)'
    )
    with subprocess.Popen(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == b'0\n'
        process.stdout.close()
        assert process.stderr.read() == b''
    assert process.returncode == 1


@pytest.mark.slow
def test_sigint_ends_with_130(tmp_path: Path) -> None:
    program = 'from mmrel.utils.command_line import run_command\n' + (
        'import time\ndef main():\n    print("on", flush=True); time.sleep(60)\nrun_command(main)'
    )
    with subprocess.Popen(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=tmp_path,
        # Jobs in the background of a script start with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout.readline() == b'on\n'
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr.read() == b'interrupted\n'
    assert process.returncode == 130
