"""Former names of configs, arguments and imports, which work until version 0.3."""

import functools
import importlib
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mmengine.logging import print_log

T = TypeVar('T')

# Names now begin with the method.
_WITHOUT_METHOD = dict(
    kshot=(
        'cellnet-c8_1xb64-coslr-30e_digits',
        'cellnet-c8_1xb64-coslr-30e_imagefolder32',
        'mobilenetv2-se-small_1xb64-coslr-30e_imagefolder32',
        'mobilenetv2-se_8xb128-coslr-120e_in1k',
        'search-k4_nb201-c8_cifar10',
        'search-k4_nb201-c8_digits',
        'search-k4_nb201-c8_imagefolder32',
        'search-k8_mobilenetv2-se-small_imagefolder32',
        'search-k8_mobilenetv2-se_in1k',
    ),
    lowshot=(
        'resnet18-w16_1xb64-finetune-10pct-coslr-20e_imagefolder32',
        'resnet18-w16_1xb64-finetune-1pct-coslr-20e_imagefolder32',
        'resnet18_1xb64-finetune-10pct-coslr-20e_cifar10',
        'resnet18_1xb64-finetune-1pct-coslr-20e_cifar10',
        'resnet50_8xb32-finetune-10pct-coslr-20e_in1k',
        'resnet50_8xb32-finetune-1pct-coslr-20e_in1k',
        'resnet50_8xb32-linear-10pct-coslr-100e_in1k',
        'resnet50_8xb32-linear-1pct-coslr-100e_in1k',
    ),
    ressl=(
        'efficientnet-b0_1xb256-linear-coslr-100e_imagefolder64',
        'efficientnet-b0_8xb32-linear-coslr-100e_in1k',
        'mobilenet-v2_1xb256-linear-coslr-100e_imagefolder64',
        'mobilenet-v3-large_1xb256-linear-coslr-100e_imagefolder64',
        'mobilenet-v3-large_8xb32-linear-coslr-100e_in1k',
        'resnet18-w16_1xb256-linear-coslr-100e_imagefolder32',
        'resnet18-w16_1xb64-linear-coslr-20e_digits',
        'resnet18_1xb256-linear-coslr-100e_cifar10',
        'resnet18_1xb256-linear-coslr-100e_cifar100',
        'resnet18_1xb256-linear-coslr-100e_imagefolder64',
        'resnet18_1xb256-linear-coslr-100e_stl10',
        'resnet18_1xb256-linear-coslr-100e_tiny-imagenet',
        'resnet50_8xb32-linear-coslr-100e_in1k',
        'shufflenet-v2_1xb256-linear-coslr-100e_imagefolder64',
        'vit-tiny_1xb256-linear-coslr-100e_imagefolder64',
    ),
    simmatch=(
        'supervised_resnet18-w16_imagefolder32_25pc',
        'supervised_resnet18-w16_imagefolder32_4pc',
    ),
    wcl=('resnet50_32xb128-linear-coslr-80e_in1k',),
)
RENAMED = {name: f'{method}_{name}' for method, names in _WITHOUT_METHOD.items() for name in names}
# Configs that others replaced, and what is left to do for the former results.
_REPLACED = {
    f'kshot-k{k}_nb201-c8-16px_1xb64-coslr-14e_cifar10': (
        f'kshot-k{k}_nb201-c8-16px_1xb64-coslr-56e_cifar10',
        'train_cfg.max_epochs=14 model.sampling=uniform',
    )
    for k in (1, 2, 4, 8)
}


def current_name(name: str) -> str:
    """The name of a config; for a former name the new one, with a warning.

    Raises:
        ValueError: If another config with other settings replaced it.
    """
    if name in _REPLACED:
        new, options = _REPLACED[name]
        raise ValueError(
            f'config {name!r} was replaced by {new!r}; for its settings, add --cfg-options '
            f'{options}'
        )
    if name not in RENAMED:
        return name
    print_log(
        f'config {name!r} is now named {RENAMED[name]!r}; the old name will be removed in '
        'version 0.3',
        logger='current',
        level=logging.WARNING,
    )
    return RENAMED[name]


def new_path(path: str) -> str | None:
    """The path that a former path of a config has now, or None if it is not a former one."""
    folder, file = os.path.split(path)
    stem, ending = os.path.splitext(file)
    if stem not in RENAMED or ending != '.py':
        return None
    return os.path.join(folder, f'{RENAMED[stem]}.py')


def current_path(path: str) -> str:
    """The path of a config; for a former path the new one, with a warning.

    Raises:
        ValueError: If another config with other settings replaced it.
    """
    stem = os.path.splitext(os.path.basename(path))[0]
    if stem in _REPLACED and not os.path.isfile(path):
        current_name(stem)
    new = new_path(path)
    if new is None or os.path.isfile(path) or not os.path.isfile(new):
        return path
    current_name(stem)
    return new


def with_current_names(
    owner: str, names: Mapping[str, str], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments with current names in place of former ones, with a warning for each.

    Args:
        owner (str): Whose arguments they are, for the warnings.
        names (Mapping[str, str]): The current name for each former one; ``group.key`` is a
            key of an argument that is a dict.
        arguments (Mapping): The arguments.

    Returns:
        dict: The arguments. A value under a former name takes precedence, because a base
        config may have the current one; dicts are merged unless they have ``_delete_``.
    """
    current = dict(arguments)
    for former, name in names.items():
        if former not in current:
            continue
        print_log(
            f'{former} of {owner} is now named {name}; the old name will be removed in version 0.3',
            logger='current',
            level=logging.WARNING,
        )
        value = current.pop(former)
        group, _, key = name.rpartition('.')
        section = dict(current.get(group) or {}) if group else current
        if key in section and section[key] != value:
            print_log(
                f'{former}={value!r} of {owner} takes precedence over {name}={section[key]!r}: '
                f'remove {former} from the config',
                logger='current',
                level=logging.WARNING,
            )
        if group and isinstance(value, Mapping):
            delete = value.get('_delete_', False)
            base = {} if delete else section.get(key) or {}
            value = {**base, **{k: v for k, v in value.items() if k != '_delete_'}}
        section[key] = value
        if group:
            current[group] = section
    return current


def former_arguments(**names: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: also accept the former names of arguments, with a warning.

    Args:
        **names (str): As in :func:`with_current_names`.

    Returns:
        Callable: The decorator.
    """

    def decorate(cls: type[T]) -> type[T]:
        init: Any = cls.__init__

        @functools.wraps(init)
        def with_former_names(self: T, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **with_current_names(cls.__name__, names, kwargs))

        cls.__init__ = with_former_names  # type: ignore[method-assign, assignment]
        # For the checks of a config (mmrel.utils.signatures).
        cls.former_arguments = names  # type: ignore[attr-defined]
        return cls

    return decorate


def moved(module: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a module's ``__getattr__`` that finds names that moved elsewhere, with a warning.

    Args:
        module (str): The module's ``__name__``.
        places (Mapping[str, str]): The current full name for each former one, such as
            ``mmrel.spaces.ArchPath``.

    Returns:
        Callable: The function. It imports the other module only for a name that moved.
    """

    def __getattr__(name: str) -> Any:
        if name not in places:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        warnings.warn(
            f'{module}.{name} is now {places[name]}; the old name will be removed in version 0.3',
            DeprecationWarning,
            stacklevel=2,
        )
        place, _, current = places[name].rpartition('.')
        return getattr(importlib.import_module(place), current)

    return __getattr__
