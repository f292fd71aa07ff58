"""Every module of mmrel has a file of tests: tests/A/test_b.py for mmrel/A/b.py."""

import re
from pathlib import Path

from tests.commands import ROOT

# Nothing to test by itself: its value is in a test of packaging, or it only starts another.
_EXEMPT = {
    'version': 'a constant, compared with the other files by tests/test_packaging.py',
    'utils/official': 'the former place of converters, tested by tests/utils/test_renamed.py',
    'utils/mixin': 'an empty base for type checkers',
}
# They have no file yet. Remove a module here when it gets one.
_WITHOUT: set[str] = set()


def _modules() -> list[str]:
    """All modules but __init__ and __main__, such as 'search/loop'."""
    files = sorted((ROOT / 'mmrel').rglob('[!_]*.py'))
    return [file.relative_to(ROOT / 'mmrel').with_suffix('').as_posix() for file in files]


def _has(words: str, name: str) -> bool:
    return re.fullmatch(rf'(.+_)?{name}(_.+)?', words) is not None


def _tests_of(modules: list[str], tests: Path) -> dict[str, list[str]]:
    """The files of each module. Their names may have more words before or after the module's.

    A name inside another one does not count: test_study_rows.py is study_rows's, not study's.
    """
    found: dict[str, list[str]] = {module: [] for module in modules}
    for module in modules:
        folder, name = (tests / module).parent, module.rpartition('/')[2]
        siblings = [m.rpartition('/')[2] for m in modules if (tests / m).parent == folder]
        for file in folder.glob('test_*.py'):
            inside = [s for s in siblings if _has(file.stem.removeprefix('test_'), s)]
            if name in inside and not any(_has(s, name) for s in inside if s != name):
                found[module].append(file.name)
    return found


def test_every_module_has_its_tests() -> None:
    found = _tests_of(_modules(), ROOT / 'tests')
    missing = {module for module, files in found.items() if not files} - set(_EXEMPT)
    assert sorted(missing - _WITHOUT) == [], 'write tests/A/test_b.py for each mmrel/A/b.py'
    assert sorted(_WITHOUT - missing) == [], 'these have tests, or are gone: remove them above'
    assert set(_EXEMPT) <= set(found)


def test_a_file_belongs_to_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / 'a').mkdir()
    for name in ('study_rows', 'the_loop', 'kshot_loop_x', 'loops'):
        (tmp_path / 'a' / f'test_{name}.py').touch()
    found = _tests_of(['a/study', 'a/study_rows', 'a/loop', 'a/kshot', 'b/loop'], tmp_path)
    assert {module: sorted(files) for module, files in found.items()} == {
        'a/study': [],
        'a/study_rows': ['test_study_rows.py'],
        'a/loop': ['test_kshot_loop_x.py', 'test_the_loop.py'],
        'a/kshot': ['test_kshot_loop_x.py'],
        'b/loop': [],
    }
