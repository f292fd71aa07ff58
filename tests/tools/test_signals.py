"""Signals to real commands: all ranks end, and the checkpoint is there."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from mmrel.engine.hooks.stop_hook import INTERRUPTED
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, command, environment, folders
from tests.distributed import free_port

EPOCHS = ['train_cfg.max_epochs=1000', 'train_cfg.val_interval=1000']
QUIET = ['default_hooks.checkpoint.interval=1000', 'default_hooks.logger.interval=1']


def _wait_for(file: Path, text: str, process: subprocess.Popen) -> None:
    """Until a command has printed something."""
    deadline = time.monotonic() + 240
    while text not in (file.read_text() if file.exists() else ''):
        assert process.poll() is None, file.read_text()[-4000:]
        assert time.monotonic() < deadline, file.read_text()[-4000:]
        time.sleep(0.1)


def _alive(marker: str) -> list[int]:
    """Processes of this test, by their work dir."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            if marker in (folder / 'cmdline').read_text():
                found.append(int(folder.name))
        except OSError:
            pass
    return found


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_script_ends_all_ranks(
    number: signal.Signals, images: Path, tmp_path: Path
) -> None:
    work_dir, port = tmp_path / 'work dir', free_port()
    output = tmp_path / 'output.txt'
    arguments = command(
        'dist_train.sh', TINY, 2, '--work-dir', work_dir, *folders(images), *EPOCHS, *QUIET
    )
    with output.open('w') as file:
        process = subprocess.Popen(
            arguments, stdout=file, stderr=file, env=dict(environment(), PORT=str(port))
        )
    _wait_for(output, 'Epoch(train)', process)
    process.send_signal(number)
    assert process.wait(120) != 0
    assert _alive(str(work_dir)) == []
    text = output.read_text()
    assert f'{number.name}: stopped after iteration' in text
    assert 'continue with --resume' in text
    meta = load_checkpoint_file(work_dir / INTERRUPTED)['meta']
    assert f'after iteration {meta["iter"]},' in text
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(('127.0.0.1', port))


@pytest.mark.slow
def test_status_and_message_of_one_process(images: Path, tmp_path: Path) -> None:
    output = tmp_path / 'output.txt'
    arguments = command(
        'train.py', TINY, '--work-dir', tmp_path / 'w', *folders(images), *EPOCHS, *QUIET
    )
    with output.open('w') as file:
        process = subprocess.Popen(arguments, stdout=file, stderr=file, env=environment())
    _wait_for(output, 'Epoch(train)', process)
    os.kill(process.pid, signal.SIGUSR1)
    assert process.wait(120) == 128 + signal.SIGUSR1
    text = output.read_text()
    assert 'continue with --resume' in text
    assert 'Traceback' not in text
