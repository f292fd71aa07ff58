import subprocess
import sys
from importlib.util import find_spec

import pytest

from mmrel import dependencies
from tests.commands import environment

GOOD = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmpretrain': '1.3.6'}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    def _install(**changes: str | None) -> None:
        found = dict(GOOD, **{k.replace('_', '-'): v for k, v in changes.items()})
        monkeypatch.setattr(dependencies, '_installed', found.get)

    return _install


def test_the_two_families_are_accepted(install) -> None:
    install()
    dependencies.check_dependencies()
    gone = dict.fromkeys(('onedl_mmengine', 'onedl_mmcv', 'onedl_mmpretrain'))
    install(**gone, mmengine='0.10.7', mmcv_lite='2.2.0', mmpretrain='1.2.0')
    dependencies.check_dependencies()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(onedl_mmcv=None), 'mmcv is missing'),
        (dict(mmengine='0.10.7'), 'mmengine is installed 2 times'),
        (dict(onedl_mmpretrain='1.2.0'), r'onedl-mmpretrain 1\.2\.0 is outside .*>=1\.3\.6,<1\.4'),
    ],
)
def test_a_fault_is_named_with_its_remedy(install, change: dict, message: str) -> None:
    install(**change)
    with pytest.raises(ImportError, match=message) as caught:
        dependencies.check_dependencies()
    assert "pip install 'mmrel[onedl]'" in str(caught.value)


def test_all_faults_are_in_one_error(install) -> None:
    install(onedl_mmcv=None, mmengine='0.10.7')
    with pytest.raises(ImportError, match=r'mmengine is installed 2 times(.|\n)*mmcv is missing'):
        dependencies.check_dependencies()


_WITHOUT_MMENGINE = """
import importlib.metadata as metadata
import sys

sys.modules['mmengine'] = None  # what an import of a missing package meets
version = metadata.version

def without(name):
    if 'mmengine' in name:
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = without
import mmrel
"""


def test_importing_mmrel_without_mmengine_says_so_first() -> None:
    done = subprocess.run(
        [sys.executable, '-c', _WITHOUT_MMENGINE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert '\nImportError: mmrel cannot start:\n- mmengine is missing' in done.stderr


@pytest.mark.parametrize('ops', [False, True])
def test_mmdet_waits_for_ops(monkeypatch: pytest.MonkeyPatch, ops: bool) -> None:
    monkeypatch.setattr(dependencies, 'has_ops', lambda: ops)
    (finder,) = [f for f in sys.meta_path if isinstance(f, dependencies._WholeMMDet)]
    assert finder.find_spec('mmdet.registry', None) is None
    if ops:
        assert finder.find_spec('mmdet.models', None) is None
    else:
        with pytest.raises(ModuleNotFoundError, match=r'mmrel\.utils\.mmcv_ops'):
            finder.find_spec('mmdet.models', None)


# They take from 0.1 s to over 1 s each, and only what needs them imports them.
_HEAVY = {
    'matplotlib', 'onnx', 'onnxruntime', 'optuna', 'plotly', 'pyarrow', 'scipy', 'sklearn',
    'sqlalchemy',
}  # fmt: skip
_IMPORTED = """
import sys

def packages():
    print(*{name.partition('.')[0] for name in sys.modules})

import mmrel
packages()
import mmrel.apis
from mmrel.utils import register_all_modules
register_all_modules()
packages()
"""


def test_an_import_leaves_heavy_packages_alone() -> None:
    assert [name for name in sorted(_HEAVY) if find_spec(name) is None] == []
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', _IMPORTED],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone, everything = (set(line.split()) for line in done.stdout.splitlines())
    assert alone < everything
    assert everything & _HEAVY == set()
    assert 'mmpretrain' in everything - alone
