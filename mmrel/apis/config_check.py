"""Check that every module of a config exists and accepts its keys."""

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmrel import registry as registries
from mmrel.utils.signatures import Keywords, keywords

from .options import ConfigKeyError

_LOADER_KEYS = (
    'dataset',
    'sampler',
    'batch_sampler',
    'num_batch_per_epoch',
    'disable_subprocess_warning',
)
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Registry of the modules under a key, anywhere in the config.
_BY_KEY = {
    'dataset': registries.DATASETS,
    'datasets': registries.DATASETS,
    'labeled': registries.DATASETS,
    'unlabeled': registries.DATASETS,
    'pipeline': registries.TRANSFORMS,
    'transforms': registries.TRANSFORMS,
    'init_cfg': registries.WEIGHT_INITIALIZERS,
    'space': registries.SEARCH_SPACES,
    'cost': registries.SEARCH_COSTS,
    'vis_backends': registries.VISBACKENDS,
    'metrics': registries.METRICS,
}
# Filled in by the Runner, or derived from the data or the checkpoint.
_GIVEN = ('data_preprocessor', 'num_classes')
_LAYERS = ('norm_cfg', 'act_cfg', 'conv_cfg')
_LOOPS = {'train_cfg': 'EpochBasedTrainLoop', 'val_cfg': 'ValLoop', 'test_cfg': 'TestLoop'}
_PART = re.compile(r'model\.\w+')


@dataclass(frozen=True)
class _Rule:
    """The rules for the module at one place in a config.

    Attributes:
        registry (Registry): The registry of its type.
        default (str, optional): Its type if the config gives none.
        given (Collection[str]): Arguments that are filled in elsewhere.
        beside (Collection[str]): Keys that another module reads.
        strict (bool): Whether its type must be registered and its required keys are
            checked.
    """

    registry: Registry
    default: str | None = None
    given: Collection[str] = ()
    beside: Collection[str] = ()
    strict: bool = True


def registered_names(registry: Registry) -> list[str]:
    """All names that a registry finds."""
    names, node = [], registry
    while node is not None:
        node.import_from_location()
        names += node.module_dict
        fallback = getattr(node, '_fallback', None)
        if fallback is not None:
            fallback.import_from_location()
            names += fallback.module_dict
        node = node.parent
    return list(dict.fromkeys(names))


def near_names(name: str, names: Collection[str], cutoff: float = 0.6) -> str:
    """A 'did you mean ...?' hint with the closest names; '' if none is close."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=cutoff)
    return f'did you mean {" or ".join(near)}? ' if near else ''


def _lookup(kind: str, registry: Registry) -> Callable | None:
    try:
        return registry.get(kind)
    except (KeyError, ImportError, AttributeError, TypeError):
        return None


def _anywhere(kind: str) -> Callable | None:
    nodes = (getattr(registries, name) for name in registries.__all__)
    return next((found for node in nodes if (found := _lookup(kind, node))), None)


def _class(module: dict, place: str, rule: _Rule) -> Callable | None:
    """The class of a module, or None if it is unknown and need not be registered.

    Raises:
        ConfigKeyError: If its type is missing or unknown.
    """
    kind = module.get('type', rule.default)
    if kind is None:
        if rule.strict:
            raise ConfigKeyError(
                f'{place}.type is missing: set it to a registered {rule.registry.name}'
            )
        return None
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    # An algorithm's parts must be registered; a part may look up its modules itself.
    strict = rule.strict or _PART.fullmatch(place) is not None
    found = _lookup(kind, rule.registry) or (None if rule.strict else _anywhere(kind))
    if found is None:
        names = registered_names(rule.registry)
        near = near_names(kind, names, 0.6 if strict else 0.8)
        if strict or (near and '.' not in kind):
            # Long lists (there are hundreds of models) would not help.
            valid = near or (f'valid: {", ".join(sorted(names))}' if len(names) < 60 else '')
            text = f'{place}.type={kind!r} is not a registered {rule.registry.name}; {valid}'
            raise ConfigKeyError(text.rstrip('; '))
    return found


def unknown_key(place: str, key: str, owner: str, names: Collection[str]) -> ConfigKeyError:
    """The error for a key that its module does not accept; it lists the accepted keys."""
    shown = sorted(names, key=lambda n: -difflib.SequenceMatcher(None, key, n).ratio())
    near = near_names(key, names)
    return ConfigKeyError(
        f'{place}.{key} is not a setting of {owner}; {near}valid: {", ".join(shown)}'
    )


def _check_module(module: dict, place: str, rule: _Rule) -> None:
    """Check one module's type and keys, then the modules in it."""
    found = _class(module, place, rule)
    if found is not None:
        known: Keywords = keywords(found)
        own = set(module) - {'type', '_scope_', *rule.beside}
        hidden = set(rule.given) - own - {'num_classes'}
        valid = [name for name in known.names if name not in hidden]
        owner = getattr(found, '__name__', str(found))
        for key in sorted(own - set(known.names)):
            # Even if a class accepts any key, one close to its own keys is a misspelling.
            if known.closed or difflib.get_close_matches(key, valid, cutoff=0.88):
                raise unknown_key(place, key, owner, [*valid, *rule.beside])
        for key in known.required if rule.strict else ():
            if key not in own and key not in rule.given:
                raise ConfigKeyError(f'{place}.{key} is missing: {owner} needs it')
    for key, value in module.items():
        _check_inside(key, value, f'{place}.{key}', rule.registry)


def _check_inside(key: str, value: Any, place: str, registry: Registry) -> None:
    """Check a value in a module, which may be a module itself or a list of them."""
    if key == 'dataloader' or key.endswith('_dataloader'):
        if isinstance(value, dict):
            _check_loader(value, place, strict=False)
        return
    # mmcv's layer builders have their own rules for keys.
    kind = value.get('type') if key in _LAYERS and isinstance(value, dict) else None
    if isinstance(kind, str) and _lookup(kind, registries.MODELS) is None:
        near = near_names(kind, registered_names(registries.MODELS))
        raise ConfigKeyError(
            f'{place}.type={kind!r} is not a registered layer; {near}'.rstrip('; ')
        )
    if key != 'init_cfg' and key.endswith('_cfg'):
        return
    registry = _BY_KEY.get(key, registry)
    if isinstance(value, dict):
        if key == 'init_cfg':
            _check_init(value, place)
        else:
            _check_module(value, place, _Rule(registry, strict=False))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_inside(key, item, f'{place}.{i}', registry)


def _check_init(init: dict, place: str) -> None:
    rule = _Rule(registries.WEIGHT_INITIALIZERS, beside=('override',), strict=False)
    _check_module({k: v for k, v in init.items() if k != 'override'}, place, rule)


def _check_loader(loader: dict, place: str, strict: bool = True) -> None:
    valid = [*_LOADER_KEYS, *keywords(DataLoader).names]
    for key in loader:
        if key not in valid and key not in ('_delete_', '_scope_'):
            raise unknown_key(place, key, 'a data loader', valid)
    rules = dict(
        dataset=_Rule(registries.DATASETS, strict=strict),
        sampler=_Rule(registries.DATA_SAMPLERS, given=('dataset', 'seed'), strict=strict),
        batch_sampler=_Rule(
            registries.DATA_SAMPLERS, given=('sampler', 'batch_size'), strict=strict
        ),
    )
    for key, rule in rules.items():
        if isinstance(loader.get(key), dict):
            _check_module(loader[key], f'{place}.{key}', rule)


def _check_optimizer(section: dict, place: str) -> None:
    optimizer = _Rule(registries.OPTIMIZERS, given=('params',))
    beside = ('constructor', 'paramwise_cfg', 'optimizer', '_delete_')
    rule = _Rule(registries.OPTIM_WRAPPERS, 'OptimWrapper', ('optimizer',), beside)
    own = section.get('constructor') in (None, 'DefaultOptimWrapperConstructor')
    if own:
        _check_module({k: v for k, v in section.items() if k != 'optimizer'}, place, rule)
    if isinstance(section.get('optimizer'), dict):
        _check_module(section['optimizer'], f'{place}.optimizer', optimizer)


def _check_named(section: dict, place: str, valid: Collection[str]) -> None:
    for key in section:
        if key not in valid:
            raise unknown_key(place, key, place, valid)


def _modules(value: Any, place: str) -> Iterator[tuple[dict, str]]:
    """The modules in a list or in a dict of lists, or a single one."""
    if isinstance(value, dict) and 'type' not in value:
        for key, part in value.items():
            yield from _modules(part, f'{place}.{key}')
    elif isinstance(value, dict):
        yield value, place
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from ([(part, f'{place}.{i}')] if isinstance(part, dict) else ())


def _check_section(name: str, section: Any) -> None:
    """Check one section of a config."""
    if name in _LOADERS and isinstance(section, dict):
        _check_loader(section, name)
    elif name == 'optim_wrapper' and isinstance(section, dict):
        _check_optimizer(section, name)
    elif name in _LOOPS and isinstance(section, dict):
        default = _LOOPS[name]
        if name == 'train_cfg' and not section.get('by_epoch', True):
            default = 'IterBasedTrainLoop'
        given = ('runner', 'dataloader', 'evaluator')
        _check_module(section, name, _Rule(registries.LOOPS, default, given, ('by_epoch',)))
    elif name == 'param_scheduler':
        rule = _Rule(registries.PARAM_SCHEDULERS, None, ('optimizer',), ('convert_to_iter_based',))
        for module, place in _modules(section, name):
            _check_module(module, place, rule)
    elif name in ('val_evaluator', 'test_evaluator'):
        for module, place in _modules(section, name):
            if 'metrics' not in module:
                _check_module(module, place, _Rule(registries.METRICS))
    elif name == 'default_hooks' and isinstance(section, dict):
        for key, hook in section.items():
            if isinstance(hook, dict):
                _check_module(hook, f'{name}.{key}', _Rule(registries.HOOKS, beside=('priority',)))
    elif name == 'custom_hooks' and isinstance(section, list | tuple):
        for module, place in _modules(list(section), name):
            _check_module(module, place, _Rule(registries.HOOKS, beside=('priority',)))
    elif isinstance(section, dict):
        _check_other(name, section)


def _check_other(name: str, section: dict) -> None:
    if name == 'model':
        _check_module(section, name, _Rule(registries.MODELS, given=_GIVEN))
    elif name == 'data_preprocessor':
        _check_module(section, name, _Rule(registries.MODELS, strict='type' in section))
    elif name == 'visualizer':
        given = ('name', 'save_dir', 'vis_backends')
        _check_module(section, name, _Rule(registries.VISUALIZERS, 'Visualizer', given))
    elif name == 'log_processor':
        _check_module(section, name, _Rule(registries.LOG_PROCESSORS, 'LogProcessor'))
    elif name == 'randomness':
        _check_named(section, name, list(inspect.signature(Runner.set_randomness).parameters)[1:])
    elif name == 'env_cfg':
        valid = ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')
        _check_named(section, name, valid)
    elif name == 'auto_scale_lr':
        _check_named(section, name, ('base_batch_size', 'enable', 'rule'))


def check_config(cfg: Config, sections: Collection[str] | None = None) -> None:
    """Check that the modules of a config exist and accept their keys.

    If the keywords of a class cannot be determined, it accepts any key. Only configs
    with mmrel's scope are checked.

    Args:
        cfg (Config): The config.
        sections (Collection[str], optional): Sections to check. Defaults to None: all.

    Raises:
        KeyError: If a type is not registered, a key is not a setting of its
            module, or a required key is missing; the message gives the place in
            the config and the valid names, the nearest first.
    """
    if cfg.get('default_scope') not in (None, 'mmrel'):
        return
    for name in cfg if sections is None else sections:
        if cfg.get(name) is not None:
            _check_section(name, cfg[name])
