"""Separate optimizers for the weights and the simplex-net."""

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapperDict
from torch import nn

from mmrel.engine.distributed import unwrap
from mmrel.registry import OPTIM_WRAPPER_CONSTRUCTORS

_SIMPLEX = 'simplex_net'
# mmengine applies these by the type or shape of torch's own layers.
_BY_LAYER = ('norm_decay_mult', 'dwconv_decay_mult', 'flat_decay_mult')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class KShotOptimWrapperConstructor:
    """mmengine's constructor, once for the weights and once for the simplex-net.

    Args:
        optim_wrapper_cfg (dict): The config for the weights, as in mmengine. Its
            key ``simplex_net`` holds the changes for the simplex-net, at least
            ``optimizer``.
        paramwise_cfg (dict, optional): mmengine's ``paramwise_cfg``, applied only
            to the weights.

    Raises:
        KeyError: If there is no optimizer for the simplex-net.
        ValueError: If ``paramwise_cfg`` has a key that would skip the layers with K
            weights, or gradients would be accumulated.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        cfg = dict(optim_wrapper_cfg)
        if 'optimizer' not in cfg.get(_SIMPLEX, {}):
            raise KeyError(
                'optim_wrapper.simplex_net.optimizer is missing: the simplex-net '
                'needs its own optimizer'
            )
        for key, part in (('', cfg), (f'{_SIMPLEX}.', cfg[_SIMPLEX])):
            counts = part.get('accumulative_counts', 1)
            if counts != 1:
                raise ValueError(
                    f'optim_wrapper.{key}accumulative_counts={counts} does not work with KShotNAS, '
                    'whose two optimizers alternate: use more processes, or a smaller '
                    'train_dataloader.batch_size with --auto-scale-lr'
                )
        without = [key for key in _BY_LAYER if key in (paramwise_cfg or {})]
        if without:
            raise ValueError(
                f'optim_wrapper.paramwise_cfg.{without[0]} has no effect on layers with K weights: '
                'select parameters by name, such as paramwise_cfg=dict(custom_keys=dict(norm=dict('
                'decay_mult=0)))'
            )
        changes = cfg.pop(_SIMPLEX)
        self.weights = DefaultOptimWrapperConstructor(dict(cfg), paramwise_cfg)
        self.simplex = DefaultOptimWrapperConstructor(dict(cfg, **changes))

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """The wrappers ``weights`` and, if the model has a simplex-net, ``simplex_net``."""
        children = dict(unwrap(model).named_children())
        simplex = children.pop(_SIMPLEX, None)
        wrappers = dict(weights=self.weights(nn.ModuleDict(children)))
        if simplex is not None:
            wrappers[_SIMPLEX] = self.simplex(simplex)
        return OptimWrapperDict(**wrappers)
