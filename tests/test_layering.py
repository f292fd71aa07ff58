"""Packages of mmrel import only packages below them."""

import ast
from pathlib import Path

from tests.commands import ROOT

_FROM_THE_GROUND = (
    'version', 'dependencies', 'utils', 'registry', 'spaces', 'converters', 'datasets',
    'evaluation', 'visualization', 'models', 'engine', 'search', 'apis', 'studies', 'cli',
)  # fmt: skip
# Inside a function, where the package above is needed only for what only it can do.
_UPWARDS = {
    'utils/released.py': 'converters',
}


def _imports(text: str) -> set[str]:
    """The packages of mmrel that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules = [node.module, *(f'{node.module}.{alias.name}' for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            top, _, rest = module.partition('.')
            if top == 'mmrel' and rest:
                found.add(rest.partition('.')[0])
    return found & set(_FROM_THE_GROUND)


def test_imports_of_every_form_are_seen() -> None:
    text = (
        'import mmrel.apis.zoo\nfrom mmrel import search\nimport torch\nfrom .x import y\n'
        'def f():\n    from mmrel.models.utils import gather\nfrom mmrel.version import x\n'
    )
    assert _imports(text) == {'apis', 'search', 'models', 'version'}


def test_imports_go_down() -> None:
    height = {name: place for place, name in enumerate(_FROM_THE_GROUND)}
    upwards = {}
    for file in sorted((ROOT / 'mmrel').rglob('*.py')):
        name = file.relative_to(ROOT / 'mmrel')
        package = Path(name.parts[0]).stem
        if package in ('__init__', '__main__'):
            continue
        above = {other for other in _imports(file.read_text()) if height[other] > height[package]}
        if above:
            upwards[name.as_posix()] = ', '.join(sorted(above))
    assert upwards == _UPWARDS
