"""The command `mmrel`."""

from pathlib import Path

import pytest

from mmrel.cli import commands, main
from mmrel.version import __version__
from tests.commands import run

NAMES = ['train', 'test', 'search', 'visualize', 'publish', 'convert', 'demo', 'extract',
         'predict', 'export']  # fmt: skip


def test_usage_lists_every_command_and_what_it_does(capsys: pytest.CaptureFixture) -> None:
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'usage: mmrel COMMAND ...'
    assert [line.split()[0] for line in lines[3:]] == NAMES == list(commands())
    assert all(len(line.split()) > 3 for line in lines[3:])
    main(['--version'])
    assert capsys.readouterr().out == f'mmrel {__version__}\n'


def test_commands_are_files_of_the_checkout() -> None:
    assert all(path.is_file() for path in commands().values())


def test_unknown_command_names_the_closest(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as error:
        main(['trian', 'config.py'])
    assert error.value.code == 2
    assert "'trian' is not a command" in (text := capsys.readouterr().err)
    assert "did you mean 'train'?" in text


@pytest.mark.parametrize('name', NAMES)
def test_command_has_the_options_of_its_tool(
    name: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('sys.argv', [])
    with pytest.raises(SystemExit) as error:
        main([name, '--help'])
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f'usage: mmrel {name} ')
    assert all(f'--{word}' in text for word in _options(commands()[name]))


def _options(path: Path) -> list[str]:
    """The options that a file defines itself."""
    words = path.read_text().split("add_argument('--")[1:]
    return [word.partition("'")[0] for word in words]


def test_error_ends_the_started_command_with_one_line(tmp_path: Path) -> None:
    output = run('mmrel', 'train', 'no_config.py', fails=True, cwd=tmp_path)
    assert output.startswith('error: ')
    assert 'no_config.py' in output
