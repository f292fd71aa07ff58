"""The config's ``view_color``: where the colors of all views are changed."""

import inspect
import logging
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmpretrain.datasets.transforms import MultiView as _MultiView
from mmpretrain.datasets.transforms import PackInputs as _PackInputs

from mmrel.datasets.transforms import MultiView, PackInputs, WeakView
from mmrel.datasets.transforms.views import COLOR_PLACES, makes_views_itself
from mmrel.models.utils.data_preprocessor import DeviceColors
from mmrel.registry import MODELS, TRANSFORMS

from .options import dotted_keys

# Where views for training are. Views for evaluation keep their colors.
_SECTIONS = ('train_dataloader', 'custom_hooks')


def _contents(cfg: Config) -> list[Any]:
    """All sections and lists with training views, and what is in them."""
    sections = [cfg[name] for name in _SECTIONS if cfg.get(name)]
    return [*sections, *(value for section in sections for _, value in dotted_keys(section))]


def _class(registry: Any, kind: Any) -> Any:
    return registry.get(kind) if isinstance(kind, str) else kind


def _transform(module: Any) -> Any:
    """A module's class, if it is a transform."""
    kind = module.get('type') if isinstance(module, dict) else type(module)
    found = _class(TRANSFORMS, kind)
    return found if inspect.isclass(found) else object


def _has_colors(module: dict) -> bool:
    """Whether a module is a view that can leave its colors to the device."""
    found = _transform(module)
    return (
        issubclass(found, WeakView)
        and makes_views_itself(found)
        and 'color' in inspect.signature(found).parameters
    )


def _check_pipeline(steps: list | tuple) -> None:
    """No step may drop the draws of colors, or need the colors themselves."""
    kinds = [_transform(step) for step in steps]
    for step, kind in zip(steps, kinds, strict=True):
        for theirs, ours in ((_PackInputs, PackInputs), (_MultiView, MultiView)):
            if issubclass(kind, theirs) and not issubclass(kind, ours):
                raise ValueError(
                    f"{step['type']!r} drops the colors of views with color='device': use "
                    f"mmrel's {ours.__name__!r}, or set view_color='host'"
                )
    if not any(issubclass(kind, PackInputs) for kind in kinds):
        return  # MultiView checks its views
    colored: type | None = None
    for step, kind in zip(steps, kinds, strict=True):
        if colored and not issubclass(kind, PackInputs):
            raise ValueError(
                f"{kind.__name__} follows {colored.__name__} with color='device', whose colors "
                "are changed later: set view_color='host', or move the step before the view"
            )
        if issubclass(kind, WeakView) and step.get('color') == 'device':
            colored = kind


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

    It covers every view of every pipeline, those that a hook switches to included. Views
    of a class that changes pixels in its own way keep their place. A config without the
    key is not changed.

    Args:
        cfg (Config): A run's config.

    Raises:
        ValueError: If the value is neither 'host' nor 'device', the data preprocessor
            cannot change colors, or a step drops them or needs them.
    """
    place = cfg.get('view_color')
    if place is not None and place not in COLOR_PLACES:
        raise ValueError(f"view_color={place!r} must be 'host' or 'device'")
    contents = _contents(cfg)
    views = [x for x in contents if isinstance(x, dict) and 'type' in x and _has_colors(x)]
    for view in views if place is not None else ():
        view['color'] = place
    if any(view.get('color') == 'device' for view in views):
        _check_preprocessor(cfg)
        for steps in contents:
            if isinstance(steps, list | tuple):
                _check_pipeline(steps)
    elif place == 'device':
        print_log(
            "view_color='device' has no effect: no view for training changes colors",
            logger='current',
            level=logging.WARNING,
        )
