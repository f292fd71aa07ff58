"""Running the project's commands as a user does, for tests."""

import contextlib
import importlib
import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.distributed import free_port
from tests.process_state import as_in_a_new_process

ROOT = Path(__file__).parents[1]
IS_LINKED = (ROOT / 'mmrel' / '.mim').exists()
linked = pytest.mark.skipif(not IS_LINKED, reason='mmrel/.mim is made by pip install -e .')
TINY = ROOT / 'tests' / 'data' / 'tiny.py'
TINY_LINEAR = ROOT / 'tests' / 'data' / 'tiny_linear.py'
TINY_LOWSHOT = ROOT / 'tests' / 'data' / 'tiny_lowshot.py'
TINY_WCL = ROOT / 'tests' / 'data' / 'tiny_wcl.py'
TINY_KSHOT = ROOT / 'tests' / 'data' / 'tiny_kshot.py'
TINY_SIMMATCH = ROOT / 'tests' / 'data' / 'tiny_simmatch.py'
TINY_SIMMATCH_ITER = ROOT / 'tests' / 'data' / 'tiny_simmatch_iter.py'
TINY_VITAS = ROOT / 'tests' / 'data' / 'tiny_vitas.py'
TINY_SEARCH = ROOT / 'tests' / 'data' / 'tiny_search.py'


def environment(paths: Sequence[Path] = ()) -> dict[str, str]:
    """One thread a process, our own `python`, a free port; modules in `paths` go first."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    return dict(
        os.environ,
        PATH=path,
        PYTHONPATH=os.pathsep.join(map(str, [*paths, ROOT])),
        OMP_NUM_THREADS='1',
        PORT=str(free_port()),  # two test processes may start ranks at once
    )


def command(tool: str, *arguments: Any) -> list[str]:
    """The words of a command: `mmrel`, or a tool or module of the project, and its arguments."""
    if tool == 'mmrel':
        return [sys.executable, '-m', 'mmrel', *map(str, arguments)]
    if tool.startswith('mmrel.'):
        return [sys.executable, '-m', tool, *map(str, arguments)]
    start = ['bash'] if tool.endswith('.sh') else [sys.executable]
    return [*start, str(ROOT / 'tools' / tool), *map(str, arguments)]


def run(
    tool: str, *arguments: Any, fails: bool = False, paths: Sequence[Path] = (), **kwargs: Any
) -> str:
    """Run a command; what it printed. It must succeed, or fail if ``fails``."""
    done = subprocess.run(
        command(tool, *arguments),
        capture_output=True,
        text=True,
        env=environment(paths),
        timeout=900,
        check=False,
        **kwargs,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output[-4000:]
    return output


def module_of(tool: str) -> ModuleType:
    """The module of a tool, as `tools/NAME.py` or `mmrel.apis.NAME`."""
    if tool.startswith('mmrel.'):
        return importlib.import_module(tool)
    file = ROOT / 'tools' / tool
    spec = importlib.util.spec_from_file_location(f'_tool_{file.stem}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(
    tool: str,
    *arguments: Any,
    fails: bool = False,
    paths: Sequence[Path] = (),
    cwd: Path | None = None,
) -> str:
    """Run a command's `main` in this process, with the state of a new one; what it printed.

    An error goes through to the caller (`pytest.raises`). With ``fails`` the command must
    end with an error, whose last words are added to the output instead.
    """
    output = io.StringIO()
    words = [str(argument) for argument in arguments]
    before = set(sys.modules)
    with (
        as_in_a_new_process(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        sys.path[:0] = map(str, [*paths, *_folders_of(tool)])
        sys.argv = [tool, *words]
        os.environ['PYTHONPATH'] = environment(paths)['PYTHONPATH']  # for what it starts
        if cwd is not None:
            os.chdir(cwd)
        try:
            module_of(tool).main(words)
        except (Exception, SystemExit) as error:
            if not fails or _succeeds(error):
                raise
            output.write(f'{type(error).__name__}: {error}\n')
        else:
            assert not fails, output.getvalue()[-4000:]
        finally:
            _forget(set(sys.modules) - before, paths)
    return output.getvalue()


def _folders_of(tool: str) -> list[Path]:
    """Where Python looks for a script's own imports."""
    return [] if tool.startswith('mmrel.') else [(ROOT / 'tools' / tool).parent]


def _succeeds(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and error.code in (None, 0)


def _forget(modules: set[str], paths: Sequence[Path]) -> None:
    """Modules of ``paths`` are one test's: another may have its own of the same name."""
    for name in modules:
        file = getattr(sys.modules[name], '__file__', None)
        if file and any(Path(file).is_relative_to(path) for path in paths):
            del sys.modules[name]


def folders(root: Path) -> list[str]:
    """`--cfg-options` that point a config to one folder for training and test."""
    return [
        '--cfg-options',
        f'train_dataloader.dataset.data_root={root}',
        f'val_dataloader.dataset.data_root={root}',
    ]
