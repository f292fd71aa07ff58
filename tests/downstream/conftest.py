"""mmseg and mmdet for real: `make test-downstream` installs them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = ('mmseg', 'mmdet', 'timm')


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave these files to an environment that has the packages."""
    if collection_path.suffix == '.py' and any(find_spec(name) is None for name in PACKAGES):
        return True
    return None


@pytest.fixture(scope='session', autouse=True)
def _registered() -> None:
    """All models of both packages, with torchvision's ops in the place of compiled ones."""
    import mmrel.utils.mmcv_ops  # noqa: F401, I001 - before mmdet
    from mmdet.utils import register_all_modules as register_mmdet
    from mmseg.utils import register_all_modules as register_mmseg

    register_mmdet(init_default_scope=False)
    register_mmseg(init_default_scope=False)
