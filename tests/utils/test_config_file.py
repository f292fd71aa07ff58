"""A config that cannot be read is named, with its fault, in one line."""

from pathlib import Path

import pytest

from mmrel.utils.config_file import read_config
from mmrel.utils.errors import error_message


@pytest.mark.parametrize(
    ('text', 'kind', 'message'),
    [
        (
            'model = dict(\n',
            ValueError,
            r"bad.py' is not a valid config, line 1: SyntaxError: '\('",
        ),
        ('a = b', ValueError, r"bad.py' is not a valid config: NameError: name 'b' is not defined"),
        ('a = {}["c"]', ValueError, r"bad.py' is not a valid config: KeyError: c"),
        ("_base_ = ['none.py']", FileNotFoundError, r"bad.py' is based on '.*none.py', which does"),
        ("_base_ = ['broken.py']", ValueError, r"broken.py' is not a valid config: ZeroDivision"),
        (
            "custom_imports = dict(imports=['not_here.at_all'])",
            ImportError,
            r"bad.py' cannot import a module: No module named 'not_here'",
        ),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, kind: type, message: str) -> None:
    (tmp_path / 'broken.py').write_text('a = 1 / 0')
    (tmp_path / 'bad.py').write_text(text)
    with pytest.raises(kind, match=message) as caught:
        read_config(str(tmp_path / 'bad.py'))
    assert '\n' not in error_message(caught.value)


def test_other_files_are_not_configs(tmp_path: Path) -> None:
    (tmp_path / 'README.md').write_text('# a heading')
    with pytest.raises(ValueError, match=r"README.md' is not a valid config: .*supported"):
        read_config(str(tmp_path / 'README.md'))
    with pytest.raises(FileNotFoundError, match=f'config {str(tmp_path)!r} does not exist'):
        read_config(str(tmp_path))
