"""What a user reads of a command: its progress and results, or its error."""

import subprocess
from pathlib import Path

import pytest

from mmrel.utils.command_line import run_command
from tests.commands import TINY, call, command, environment, folders, module_of
from tests.images import make_folder

ODD = 'my images, [new] (1) "2" it\'s {a} a=b später 日本 #5 ~'
IN_PROCESS = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']


def test_a_folder_with_any_name_trains(tmp_path: Path) -> None:
    root = make_folder(tmp_path / ODD, classes=2, each=12)
    screen = call('train.py', TINY, '--work-dir', tmp_path / 'w', *folders(root), *IN_PROCESS)
    assert f'24 training images in 2 classes ({root})' in screen
    assert (tmp_path / 'w' / 'epoch_4.pth').is_file()
    lines = screen.splitlines()
    assert 'knn200/top1' in lines[-1]
    assert len(lines) < 80
    assert not any(word in screen for word in ('Config:', 'FileClient', 'OneDL', 'Hooks will be'))


def _screen(capsys: pytest.CaptureFixture[str], tool: str, *words: object) -> list[str]:
    """The last lines of a command that fails."""
    with pytest.raises(SystemExit) as end:
        run_command(lambda: module_of(tool).main([str(word) for word in words]))
    assert end.value.code == 1
    return capsys.readouterr().err.splitlines()


def test_an_error_of_a_run_names_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / 'no such, folder'
    words = [TINY, '--work-dir', tmp_path / 'w', *folders(missing)]
    first, last = _screen(capsys, 'train.py', *words)
    assert first.startswith('error: ')
    assert str(missing) in first
    (log,) = (tmp_path / 'w').glob('*/*.log')
    assert last == f'details: {log}'
    assert 'Traceback' in log.read_text()


@pytest.mark.parametrize(
    'tool', ['train.py', 'search.py', 'dataset_converters/make_label_split.py']
)
def test_commands_refuse_a_key_that_nothing_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    split = tool.endswith('split.py')
    words = ['--out', tmp_path / 'x.txt', '--per-class', 1] if split else ['--work-dir', tmp_path]
    lines = _screen(capsys, tool, TINY, *words, '--cfg-options', 'max_epochs=1')
    assert lines[0] == (
        "error: --cfg-options max_epochs: the config has no key 'max_epochs'; "
        'nearest: train_cfg.max_epochs'
    )


def test_the_screen_of_a_real_command(tmp_path: Path) -> None:
    words = [TINY, '--work-dir', tmp_path, '--cfg-options', 'train_cfg.max_epoch=1']
    done = subprocess.run(
        command('train.py', *words), capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 1
    assert done.stdout == ''
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        'error: train_cfg.max_epoch is not a setting of MidEpochTrainLoop; '
        'did you mean max_epochs or by_epoch? valid: max_epochs, '
    )
