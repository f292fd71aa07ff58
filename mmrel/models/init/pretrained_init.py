"""``init_cfg=dict(type='Pretrained', ...)`` that never leaves a layer random."""

import logging

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmrel.registry import WEIGHT_INITIALIZERS
from mmrel.utils.network_record import read_record
from mmrel.utils.safe_loading import load_checkpoint
from mmrel.utils.state_dict import adapt_state_dict, check_finite, compare_state_dict, weights_of

from .pretrained_remedies import left_in_parts, other_settings, remedy


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit:
    """Initialize a module from a checkpoint, completely or not at all.

    mmengine's initializer of the same name only warns about missing keys, so a
    wrong prefix leads to evaluating random features. Here every parameter and
    buffer of the module must be in the checkpoint with the same shape, and the
    checkpoint must not have more layers in any part of the module. Unused parts of
    the checkpoint, such as a classifier or a projector, are listed in the log. In
    configs of mmseg and mmdet use ``mmrel.Pretrained``.

    Args:
        checkpoint (str): A path, an http(s) URL or ``torchvision://name``.
        prefix (str, optional): The part of the checkpoint's keys to use, such
            as ``'backbone.'``. Defaults to None: all.
        map_location (str): As in ``torch.load``. Defaults to 'cpu'.

    Raises:
        ValueError: If ``checkpoint`` is empty.
    """

    def __init__(
        self, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu'
    ) -> None:
        if not checkpoint:
            raise ValueError(
                'init_cfg.checkpoint is empty: give the pre-trained checkpoint, such as '
                '--cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_20.pth'
            )
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.map_location = map_location

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into ``module``.

        Raises:
            RuntimeError: If a key of the module is missing, has another shape or type, or
                contains NaN, if a part of the module has more layers in the checkpoint, or
                if the checkpoint records another network. The message says what to change.
        """
        content = load_checkpoint(self.checkpoint, self.map_location, logger='current')
        everything = state = weights_of(content, f'checkpoint {self.checkpoint!r}')
        network = read_record(content.get('meta'))
        if self.prefix is not None:
            prefix = self.prefix.rstrip('.') + '.'
            state = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        where = f'{self.checkpoint!r}' + (f' (prefix {self.prefix!r})' if self.prefix else '')
        state = adapt_state_dict(module, state)
        difference = compare_state_dict(module.state_dict(), state)
        lost = left_in_parts(module, difference)
        name = type(module).__name__
        if difference.missing or difference.wrong_shape or difference.wrong_type or lost:
            expected = module.state_dict()
            fits = sum(
                isinstance(value, Tensor) and getattr(state.get(key), 'shape', None) == value.shape
                for key, value in expected.items()
            )
            title = f'{where} does not fit {name}, only {fits} of {len(expected)} keys do'
            what = remedy(module, everything, self.prefix, difference, network)
            raise RuntimeError(difference.describe(title) + (f'\n  {what}' if what else ''))
        if fault := other_settings(module, network):
            raise RuntimeError(f'{where} does not fit {name}: {fault}')
        if 'backbone' not in network and getattr(module, 'style', None) == 'caffe':
            print_log(
                f"{where} does not record its style: style='caffe' of {name} is correct only if "
                'the file is from a caffe-style network, trained with its image normalization',
                logger='current',
                level=logging.WARNING,
            )
        check_finite(state, where)
        if difference.unexpected:
            print_log(difference.describe(f'loading {where}: unused keys'), logger='current')
        module.load_state_dict(state, strict=False)
        self._keep(module)

    def _keep(self, module: nn.Module) -> None:
        """Keep later parts of ``init_weights`` from overwriting the loaded weights.

        mmengine and mmpretrain only recognize an ``init_cfg`` that is a dict of type
        'Pretrained'. With a list or with ``mmrel.Pretrained``, mmpretrain's ``ResNet``
        still zeroes norms, and submodules still initialize themselves. That includes
        mmcv's ``ConvModule``, which is not a ``BaseModule``.
        """
        if isinstance(module, BaseModule):
            module.init_cfg = dict(
                type='Pretrained', checkpoint=self.checkpoint, prefix=self.prefix
            )
        for child in module.modules():
            if child is not module and hasattr(child, 'init_weights'):
                child.is_init = True  # type: ignore[assignment]
