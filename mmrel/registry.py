"""Registries of mmrel: children of mmengine's that fall back to mmpretrain's.

``MODELS.build(dict(type='ResNet', depth=18))`` finds mmpretrain's ``ResNet``.
Within the scope ``mmrel``, a name that mmrel itself registers takes precedence.
"""

from collections.abc import Sequence
from typing import Any

import mmengine.registry as mmengine_registry
import mmpretrain.registry as mmpretrain_registry
from mmengine.registry import DefaultScope, Registry

__all__ = [
    'BATCH_AUGMENTS',
    'DATASETS',
    'DATA_SAMPLERS',
    'EVALUATORS',
    'FUNCTIONS',
    'HOOKS',
    'LOG_PROCESSORS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'RUNNERS',
    'SEARCH_COSTS',
    'SEARCH_SPACES',
    'TRANSFORMS',
    'VISBACKENDS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
]


class _FallbackRegistry(Registry):
    """A registry that falls back to mmpretrain's if neither it nor its ancestors have a name.

    A plain child of mmpretrain's would not do: mmengine finds ``mmrel.ReSSL`` only in
    direct children of its own registries, and a child's lookup does not import
    mmpretrain's modules.

    Args:
        parent (Registry): mmengine's registry of the same kind.
        fallback (Registry, optional): mmpretrain's registry of the same kind.
        locations (Sequence[str]): Modules whose import registers mmrel's names.
    """

    def __init__(
        self, parent: Registry, fallback: Registry | None, locations: Sequence[str]
    ) -> None:
        super().__init__(parent.name, parent=parent, scope='mmrel', locations=[*locations])
        self._fallback = fallback

    def get(self, key: str) -> type | None:
        found = super().get(key)
        # Other packages write `mmrel.ResNet`, so accept that here too.
        name = key.removeprefix(f'{self.scope}.')
        if found is None and self._fallback is not None and '.' not in name:
            found = self._fallback.get(name)
        return found

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        # mmpretrain's classes may build parts of our modules. They must find our
        # names even if no Runner has set a default scope.
        scope = None if DefaultScope.get_current_instance() else 'mmrel'
        with DefaultScope.overwrite_default_scope(scope):
            return super().build(cfg, *args, **kwargs)


def _node(name: str, *locations: str, mmengine_name: str | None = None) -> Registry:
    parent = getattr(mmengine_registry, mmengine_name or name)
    fallback = getattr(mmpretrain_registry, name, None)
    return _FallbackRegistry(parent, fallback, locations)


MODELS = _node('MODELS', 'mmrel.models')
WEIGHT_INITIALIZERS = _node('WEIGHT_INITIALIZERS', 'mmrel.models')
# mmengine has none, so mmpretrain's is the root.
BATCH_AUGMENTS = Registry(
    'batch augment',
    parent=mmpretrain_registry.BATCH_AUGMENTS,
    scope='mmrel',
    locations=['mmrel.models'],
)

DATASETS = _node('DATASETS', 'mmrel.datasets')
DATA_SAMPLERS = _node('DATA_SAMPLERS', 'mmrel.datasets')
TRANSFORMS = _node('TRANSFORMS', 'mmrel.datasets')
FUNCTIONS = _node('FUNCTIONS', 'mmrel.datasets')

RUNNERS = _node('RUNNERS', 'mmrel.engine')
LOOPS = _node('LOOPS', 'mmrel.engine', 'mmrel.search')
HOOKS = _node('HOOKS', 'mmrel.engine')
MODEL_WRAPPERS = _node('MODEL_WRAPPERS', 'mmrel.engine')
OPTIMIZERS = _node('OPTIMIZERS', 'mmrel.engine')
OPTIM_WRAPPERS = _node('OPTIM_WRAPPERS', 'mmrel.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _node('OPTIM_WRAPPER_CONSTRUCTORS', 'mmrel.engine')
PARAM_SCHEDULERS = _node('PARAM_SCHEDULERS', 'mmrel.engine')
LOG_PROCESSORS = _node('LOG_PROCESSORS', 'mmrel.engine')

METRICS = _node('METRICS', 'mmrel.evaluation')
EVALUATORS = _node('EVALUATORS', 'mmrel.evaluation', mmengine_name='EVALUATOR')

VISUALIZERS = _node('VISUALIZERS', 'mmrel.visualization')
VISBACKENDS = _node('VISBACKENDS', 'mmrel.visualization')

# Neither mmengine nor mmpretrain has these.
SEARCH_SPACES = Registry('search space', scope='mmrel', locations=['mmrel.spaces'])
SEARCH_COSTS = Registry('search cost', scope='mmrel', locations=['mmrel.spaces'])
