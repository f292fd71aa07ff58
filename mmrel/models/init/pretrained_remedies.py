"""Why a checkpoint does not fit a backbone, and what to change."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmrel.utils.network_record import name_in_mmrel
from mmrel.utils.state_dict import StateDictDifference

_STATISTICS = ('running_mean', 'running_var')


def left_in_parts(module: nn.Module, difference: StateDictDifference) -> list[str]:
    """Unused checkpoint keys that belong to an existing part of the module.

    The module may lack whole parts of the checkpoint, such as a classifier, a projector
    or a stage. Extra layers in an existing part mean another network, such as ResNet-101.

    Args:
        module (nn.Module): The module to load.
        difference (StateDictDifference): Its comparison with the checkpoint.

    Returns:
        list[str]: The keys.
    """
    parts = {key.split('.')[0] for key in module.state_dict()}
    return [key for key in difference.unexpected if key.split('.')[0] in parts]


def other_settings(module: nn.Module, network: Mapping[str, Any]) -> str:
    """How the module differs from the recorded backbone although all weights fit.

    This checks the style of a ResNet's blocks. Strides, dilations and the stem's
    max-pool may differ on purpose.

    Args:
        module (nn.Module): A backbone.
        network (Mapping): The checkpoint's record.

    Returns:
        str: The difference; empty if none is known.
    """
    backbone = network.get('backbone')
    if backbone is None:
        return ''
    style = getattr(module, 'style', None)
    if style is not None and _bottlenecks(module) and backbone.get('style', 'pytorch') != style:
        return (
            f"the checkpoint's backbone has style={backbone.get('style', 'pytorch')!r}, this one "
            f'has style={style!r}: the weights fit, but the network is different; set '
            f'style={backbone.get("style", "pytorch")!r} (and the matching mean and std)'
        )
    return ''


def _bottlenecks(module: nn.Module) -> bool:
    """Whether blocks have three convolutions; the style affects only these."""
    return any(key.endswith('conv3.weight') for key in module.state_dict())


def remedy(
    module: nn.Module,
    checkpoint: Mapping[str, Tensor],
    prefix: str | None,
    difference: StateDictDifference,
    network: Mapping[str, Any],
) -> str:
    """What to change in the config, as a sentence.

    Args:
        module (nn.Module): The module to load.
        checkpoint (Mapping[str, Tensor]): All weights of the file.
        prefix (str, optional): The configured prefix.
        difference (StateDictDifference): The mismatches under that prefix.
        network (Mapping): The checkpoint's record; may be empty.

    Returns:
        str: Such as "set prefix='backbone.'"; empty if nothing is known.
    """
    expected = module.state_dict()
    found = _fitting_prefix(expected, checkpoint)
    now = prefix.rstrip('.') + '.' if prefix else ''
    if found is not None and found != now:
        return f'set prefix={found!r} in init_cfg' if found else 'remove prefix from init_cfg'
    known = _known_reason(expected, difference)
    other = difference.missing or difference.unexpected or difference.wrong_shape
    if other and (backbone := network.get('backbone')):
        known = '; '.join(
            filter(None, [known, f'the file is from backbone=dict({_settings(backbone)})'])
        )
    return known


def _settings(backbone: Mapping[str, Any]) -> str:
    shown = dict(backbone, type=name_in_mmrel(backbone['type']))
    text = ', '.join(f'{key}={value!r}' for key, value in shown.items())
    return text if len(text) <= 300 else text[:300] + '...'


def _fitting_prefix(expected: Mapping[str, Tensor], checkpoint: Mapping[str, Tensor]) -> str | None:
    """The prefix under which the file has every weight of the module ('' for none)."""
    weights = {k: v.shape for k, v in expected.items() if not k.endswith('num_batches_tracked')}
    first = next(iter(weights), None)
    if first is None:
        return None
    for key in checkpoint:
        if key == first or key.endswith(f'.{first}'):
            start = key.removesuffix(first)
            if all(
                getattr(checkpoint.get(start + name), 'shape', None) == shape
                for name, shape in weights.items()
            ):
                return start
    return None


def _known_reason(expected: Mapping[str, Tensor], difference: StateDictDifference) -> str:
    missing, unexpected = difference.missing, difference.unexpected
    shapes = ' '.join(difference.wrong_shape)
    if any(key.startswith('stem.') for key in missing) and 'conv1.weight' in unexpected:
        return (
            'this backbone has a deep stem (ResNetV1c, ResNetV1d), the file a plain one: use '
            "type='mmrel.ResNet', or deep_stem=False and avg_down=False"
        )
    if any(_is_statistic(key) for key in unexpected) and not any(map(_is_statistic, expected)):
        return (
            'the file has batch norms, this backbone another norm: use '
            "norm_cfg=dict(type='BN') or 'SyncBN'"
        )
    if any(map(_is_statistic, missing)) and not any(map(_is_statistic, unexpected)):
        return 'this backbone has batch norms, the file another norm: use its norm_cfg'
    if shapes.startswith('conv1.weight'):
        return (
            'the stems differ: a 3x3 stem is for small images '
            "(type='mmrel.ResNetSmallImage'), a 7x7 one for photos (type='mmrel.ResNet')"
        )
    if any('.conv.0.conv.' in key for key in unexpected) and any(
        'expand_conv' in key or 'depthwise_conv' in key for key in missing
    ):
        return (
            "the keys are from mmpretrain's MobileNetV2; that of mmdet and mmseg is different: "
            "use type='mmrel.MobileNetV2'"
        )
    return ''


def _is_statistic(key: str) -> bool:
    return key.endswith(_STATISTICS)
