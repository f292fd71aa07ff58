"""Check the installed OpenMMLab packages and report every problem in one message.

``mmengine``, ``mmcv`` and ``mmpretrain`` come from two families of
distributions with the same import names: the maintained ``onedl-`` forks and
the originals. Exactly one distribution may provide each name.
"""

import contextlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from packaging.version import Version

# import name -> {distribution: (lowest tested, first untested)}
_FAMILIES = {
    'mmengine': {
        'onedl-mmengine': ('0.10.12', '0.11'),
        'mmengine': ('0.10.7', '0.11'),
    },
    'mmcv': {
        'onedl-mmcv': ('2.3.6', '2.4'),
        'mmcv': ('2.1.0', '2.3'),
        'mmcv-lite': ('2.1.0', '2.3'),
    },
    'mmpretrain': {
        'onedl-mmpretrain': ('1.3.6', '1.4'),
        'mmpretrain': ('1.2.0', '1.3'),
    },
}

_REMEDY = (
    'mmrel needs exactly one distribution each of mmengine, mmcv and mmpretrain. '
    'To install the maintained forks:\n'
    '  pip uninstall -y mmengine mmengine-lite mmcv mmcv-lite mmpretrain '
    'onedl-mmengine onedl-mmcv onedl-mmpretrain\n'
    "  pip install 'mmrel[onedl]'\n"
    "For the originals, replace 'mmrel[onedl]' by 'mmrel[openmmlab]'."
)


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_dependencies() -> None:
    """Check that each OpenMMLab package is installed once, in a tested range.

    Raises:
        ImportError: If a package is missing, installed from two distributions
            at once, or outside the range that mmrel was tested with. The
            message lists every problem and the commands that fix them.
    """
    faults = []
    for name, ranges in _FAMILIES.items():
        found = {d: v for d in ranges if (v := _installed(d)) is not None}
        if not found:
            faults.append(f'{name} is missing (install one of: {", ".join(ranges)})')
        elif len(found) > 1:
            faults.append(
                f'{name} is installed {len(found)} times: '
                + ', '.join(f'{d} {v}' for d, v in found.items())
            )
        else:
            ((dist, have),) = found.items()
            low, high = ranges[dist]
            if not Version(low) <= Version(have) < Version(high):
                faults.append(f'{dist} {have} is outside the tested range >={low},<{high}')
    if faults:
        raise ImportError('\n'.join(['mmrel cannot start:', *(f'- {f}' for f in faults), _REMEDY]))


# The fork prints this about an optional dataset that mmrel does not use.
_PRINTED = 'Could not import OneDL'


class _QuietImport(MetaPathFinder):
    """Import ``mmpretrain.datasets`` without the line that it prints."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != 'mmpretrain.datasets':
            return None
        finders = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def without_line(module: ModuleType) -> None:
            printed = io.StringIO()
            try:
                with contextlib.redirect_stdout(printed):
                    execute(module)
            finally:
                lines = printed.getvalue().splitlines(keepends=True)
                sys.stdout.write(''.join(x for x in lines if x.strip() != _PRINTED))

        spec.loader.exec_module = without_line  # type: ignore[method-assign]
        return spec


class _WholeMMDet(MetaPathFinder):
    """Block the import of ``mmdet.models`` while mmcv has no ops.

    mmpretrain tries to import it. Without ops the import fails halfway, and the modules
    imported up to that point would keep their placeholders for ops, even if ops are
    installed later.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name == 'mmdet.models' and not has_ops():
            # mmseg and mmpretrain expect this exception type.
            raise ModuleNotFoundError(
                "mmdet needs mmcv's ops, which are not compiled: put mmrel.utils.mmcv_ops first in "
                "the config's custom_imports, to use torchvision's, or compile them "
                '(tools/build_mmcv_ops.sh)'
            )


def has_ops() -> bool:
    """Whether mmcv has ops: compiled ones, or those of :mod:`mmrel.utils.mmcv_ops`."""
    return 'mmcv._ext' in sys.modules or importlib.util.find_spec('mmcv._ext') is not None


def quiet_imports() -> None:
    """Silence what dependencies print on import about features that mmrel does not use."""
    warnings.filterwarnings('ignore', r'Fail to import ``MultiScaleDeformableAttention``')
    for finder in (_QuietImport, _WholeMMDet):
        if not any(isinstance(other, finder) for other in sys.meta_path):
            sys.meta_path.insert(0, finder())
