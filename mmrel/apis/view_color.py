"""The config's ``view_color``: where the colors of all views are changed."""

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmrel.datasets.transforms.views import COLOR_PLACES
from mmrel.models.utils.data_preprocessor import DeviceColors
from mmrel.registry import MODELS, TRANSFORMS

# Where views for training are. Views for evaluation keep their colors.
_SECTIONS = ('train_dataloader', 'custom_hooks')


def _modules(node: Any) -> Iterator[dict]:
    """All dicts with a type, at any depth."""
    if isinstance(node, dict):
        if 'type' in node:
            yield node
        for value in node.values():
            yield from _modules(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _modules(value)


def _class(registry: Any, kind: Any) -> Any:
    return registry.get(kind) if isinstance(kind, str) else kind


def _has_colors(module: dict) -> bool:
    """Whether a module is a view that can leave its colors to the device."""
    kind = module['type']
    if isinstance(kind, str) and TRANSFORMS.get(kind) is None:
        return False
    found = _class(TRANSFORMS, kind)
    return inspect.isclass(found) and 'color' in inspect.signature(found).parameters


def _check_preprocessor(cfg: Config) -> None:
    model = cfg.get('model') or {}
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    kind = preprocessor.get('type')
    found = None if kind is None else _class(MODELS, kind)
    if found is not None and not (inspect.isclass(found) and issubclass(found, DeviceColors)):
        raise ValueError(
            f"view_color='device' needs a data preprocessor that changes colors, which "
            f"data_preprocessor.type={kind!r} does not: use 'SelfSupDataPreprocessor' or "
            "'ClsDataPreprocessor', derive yours from mmrel.models.utils.DeviceColors, or set "
            "view_color='host'"
        )


def apply_view_color(cfg: Config) -> None:
    """Pass ``view_color`` on to all views for training, in place.

    It covers every view of every pipeline, those that a hook switches to included. A
    config without the key is not changed.

    Args:
        cfg (Config): A run's config.

    Raises:
        ValueError: If the value is neither 'host' nor 'device', or the data preprocessor
            cannot change colors.
    """
    place = cfg.get('view_color')
    if place is not None and place not in COLOR_PLACES:
        raise ValueError(f"view_color={place!r} must be 'host' or 'device'")
    views = [
        module
        for section in _SECTIONS
        for module in _modules(cfg.get(section))
        if _has_colors(module)
    ]
    for view in views if place is not None else ():
        view['color'] = place
    if any(view.get('color') == 'device' for view in views):
        _check_preprocessor(cfg)
    elif place == 'device':
        print_log(
            "view_color='device' has no effect: no view for training changes colors",
            logger='current',
            level=30,
        )
