"""The command ``mmrel``: the tools by name, from any folder."""

import ast
import difflib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmrel.utils.command_line import run_command
from mmrel.utils.package import package_root
from mmrel.version import __version__

# Relative to `package_root()`, or to the package.
_TOOLS = dict(
    train='tools/train.py',
    test='tools/test.py',
    search='tools/search.py',
    visualize='tools/visualize.py',
    publish='tools/model_converters/publish_model.py',
    convert='tools/model_converters/official_to_mmrel.py',
    demo='tools/demo.py',
)
_APIS = dict(extract='apis/extract.py', predict='apis/predict.py', export='apis/export.py')


def commands() -> dict[str, Path]:
    """The file of each command, by the command's name."""
    root, package = package_root(), Path(__file__).parent
    tools = {name: root / file for name, file in _TOOLS.items()}
    return tools | {name: package / file for name, file in _APIS.items()}


def _usage() -> str:
    lines = ['usage: mmrel COMMAND ...', '', 'commands (mmrel COMMAND --help):']
    for name, path in commands().items():
        summary = (ast.get_docstring(ast.parse(path.read_text())) or '').partition('\n')[0]
        lines.append(f'  {name:<11}{summary}')
    return '\n'.join(lines)


def _main_of(name: str) -> Callable[[], None]:
    if name in _APIS:
        return importlib.import_module(f'mmrel.apis.{name}').main
    # Registered, so that what the tool defines can be pickled.
    module_name = f'_mmrel_tool_{name}'
    spec = importlib.util.spec_from_file_location(module_name, commands()[name])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module.main


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command with its arguments.

    Args:
        argv (Sequence[str], optional): The command's name and its arguments.
            Defaults to None: those of the process.

    Raises:
        SystemExit: With status 2 if there is no such command, else as
            :func:`.run_command`.
    """
    name, *arguments = (sys.argv[1:] if argv is None else list(argv)) or ['--help']
    if name in ('-h', '--help'):
        print(_usage())
    elif name == '--version':
        print(f'mmrel {__version__}')
    elif name not in commands():
        close = difflib.get_close_matches(name, commands(), n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        print(
            f'mmrel: {name!r} is not a command, which must be one of {", ".join(commands())}{hint}',
            file=sys.stderr,
        )
        raise SystemExit(2)
    else:
        sys.argv = [f'mmrel {name}', *arguments]
        run_command(_main_of(name))
