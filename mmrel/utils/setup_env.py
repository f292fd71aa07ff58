"""Setup that lets other OpenMMLab packages find mmrel's configs and modules."""

import importlib

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import init_default_scope as set_default_scope

from .safe_loading import use_safe_loading

_PARTS = ('datasets', 'engine', 'evaluation', 'models', 'search', 'spaces', 'visualization')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all modules of mmrel, as in the other OpenMMLab packages.

    mmengine's hub calls this before it loads weights, so it also makes loading safe.

    Args:
        init_default_scope (bool): Whether to make ``mmrel`` the default scope, where
            names without a scope are looked up first. Defaults to True.
    """
    use_safe_loading()
    for part in _PARTS:
        importlib.import_module(f'mmrel.{part}')
    if init_default_scope:
        set_default_scope('mmrel')


def let_configs_name_mmrel() -> None:
    """Make ``mmrel::ressl/NAME.py`` valid as ``_base_`` and for mmengine's hub.

    mmengine has a fixed list of packages. It maps ``mmseg`` to the distribution
    mmsegmentation, but the maintained fork has another name. The module name finds
    both. Called when mmrel is imported.
    """
    MODULE2PACKAGE.setdefault('mmrel', 'mmrel')
    MODULE2PACKAGE['mmseg'] = 'mmseg'
