"""Snippets for configs and programs that load a published file."""

from collections.abc import Mapping
from pprint import pformat
from typing import Any

from torch import Tensor

from .network_record import name_in_mmrel
from .publish import torchvision_name
from .safetensors_file import ENDING

_MAPS = dict(mmseg=True, mmdet=True)


def snippet(path: str, target: str, network: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """Code that strictly loads a published file.

    Args:
        path (str): The file.
        target (str): One of :data:`.publish.TARGETS`.
        network (Mapping): Its record, from :func:`.network_record.network_record`.
        state (Mapping[str, Tensor]): Its weights.

    Returns:
        str: Python code, with comments for settings that the record lacks.
    """
    if target in ('torchvision', 'timm'):
        return _program(path, target, network, state)
    if target == 'safetensors':
        return (
            'from safetensors.torch import load_file\n'
            f"state = load_file({path!r})  # keys begin with 'backbone.'\n"
        )
    return _config(path, target, network)


def _backbone(path: str, target: str, network: Mapping[str, Any]) -> str:
    settings = dict(network.get('backbone') or {})
    kind = settings.pop('type', None)
    words = []
    if target in _MAPS:
        words.append('_delete_=True')
        settings.pop('out_indices', None)
        settings.pop('out_type', None)
    words.append(
        f'type={name_in_mmrel(kind)!r}' if kind else "type='...',  # as in the training config"
    )
    words += [f'{key}={pformat(value, compact=True, width=70)}' for key, value in settings.items()]
    if target in _MAPS and str(kind).rpartition('.')[2].startswith('ResNet'):
        words.append(f'out_indices={tuple(range(settings.get("num_stages", 4)))}')
    elif target in _MAPS:
        words.append('# out_indices=...: the stages or blocks that your decoder uses')
    init = f"init_cfg=dict(type='mmrel.Pretrained', checkpoint={path!r}, prefix='backbone.')"
    lines = [*words, init]
    return ''.join(
        f'        {line}\n' if line.startswith('#') else f'        {line},\n' for line in lines
    )


def _config(path: str, target: str, network: Mapping[str, Any]) -> str:
    lines = "custom_imports = dict(imports=['mmrel'], allow_failed_imports=False)\n"
    preprocessor = ''
    if network.get('mean') and network.get('std'):
        # OpenCV reads BGR, but the statistics are for RGB.
        order = 'to_rgb' if target in ('mmpretrain', 'mmrel') else 'bgr_to_rgb'
        preprocessor = f'mean={network["mean"]}, std={network["std"]}, {order}=True'
    lines += 'model = dict(\n'
    if target == 'mmseg':
        lines += '    pretrained=None,  # the base configs of mmseg set it\n'
    if preprocessor and target in _MAPS:
        lines += f'    data_preprocessor=dict({preprocessor}),\n'
    lines += f'    backbone=dict(\n{_backbone(path, target, network)}    ),\n)\n'
    if preprocessor and target not in _MAPS:
        lines += f'data_preprocessor = dict({preprocessor})\n'
    return lines


def _program(
    path: str, target: str, network: Mapping[str, Any], state: Mapping[str, Tensor]
) -> str:
    name = torchvision_name(state, network)
    if target == 'timm':
        start = f"import timm, torch\nmodel = timm.create_model('{name}', num_classes=0)\n"
    else:
        start = (
            f'import torch, torchvision\nmodel = torchvision.models.{name}(weights=None)\n'
            'model.fc = torch.nn.Identity()\n'
        )
    if path.endswith(ENDING):
        start = f'from safetensors.torch import load_file\n{start}state = load_file({path!r})\n'
    else:
        start += f'state = torch.load({path!r}, weights_only=True)\n'
    text = start + 'model.load_state_dict(state, strict=True)\n'
    if network.get('mean') and network.get('std'):
        text += f'# RGB from 0 to 255: mean {network["mean"]}, std {network["std"]}\n'
    return text
