"""Publish a training checkpoint as a file for use in other libraries."""

import hashlib
import io
import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmrel.version import __version__

from .files import write_atomically
from .network_record import read_record
from .safetensors_file import ENDING, safetensors_bytes
from .state_dict import check_finite, compare_state_dict, weights_of

_KEPT_META = (
    'epoch', 'iter', 'converted_from', 'official_epoch', 'dataset_meta', 'mmrel_version', 'network',
)  # fmt: skip
# Targets whose keys have the prefix ``backbone.``, and targets whose keys have no prefix.
_PREFIXED = ('mmrel', 'mmseg', 'mmdet', 'mmpretrain', 'safetensors')
_BARE = ('torchvision', 'timm')
TARGETS = (*_PREFIXED, *_BARE)
# Settings of torchvision and timm that do not show in the weights.
_FIXED = dict(strides=[1, 2, 2, 2], dilations=[1, 1, 1, 1])
_DEPTHS = (18, 34, 50, 101, 152)


def publish(
    checkpoint: Mapping[str, Any],
    path: str,
    target: str = 'mmrel',
    teacher: bool = False,
    network: Mapping[str, Any] | None = None,
    results: Mapping[str, float] | None = None,
) -> str:
    """Write only the backbone, with a hash in the file name.

    Args:
        checkpoint (Mapping): A training checkpoint with ``state_dict``.
        path (str): Output path. ``name.pth`` becomes ``name-1a2b3c4d.pth``. The extension
            .safetensors selects that format for any target.
        target (str): The library that loads the file, one of :data:`TARGETS`. For
            torchvision and timm, which must have the network, the keys have no prefix
            and the file is the state dict itself. Defaults to 'mmrel'.
        teacher (bool): Whether to publish the teacher's backbone. Defaults to False: the
            student's.
        network (Mapping, optional): From :func:`.network_record.network_record`, for
            checkpoints that lack it. Defaults to None: the checkpoint's record.
        results (Mapping[str, float], optional): Scores to store in the file.

    Returns:
        str: The path of the file.

    Raises:
        KeyError: If the checkpoint lacks the weights of the backbone or the teacher.
        ValueError: If it is a supernet, or the target does not have the network.
        RuntimeError: If its values are not tensors, or are NaN or infinite.
    """
    if target not in TARGETS:
        raise ValueError(f'the target {target!r} must be one of {", ".join(TARGETS)}')
    state = weights_of(checkpoint, 'the checkpoint')
    meta = {k: v for k, v in (checkpoint.get('meta') or {}).items() if k in _KEPT_META}
    run = (checkpoint.get('meta') or {}).get('run')
    trained_with = run.get('mmrel_version') if isinstance(run, Mapping) else None
    meta.setdefault('mmrel_version', trained_with if isinstance(trained_with, str) else __version__)
    meta['network'] = read_record(meta) if network is None else dict(network)
    if results is not None:
        if not isinstance(results, Mapping):
            raise ValueError(
                f'the results must be a mapping of names to scores, not a {type(results).__name__}'
            )
        for name, score in results.items():
            if type(score) not in (int, float) or not math.isfinite(score):
                raise ValueError(f'the result {name!r} must be a finite number, not {score!r}')
        meta['results'] = dict(results)
    _refuse_supernet(state, meta)
    kept = _backbone(state, teacher)
    check_finite(kept, 'the checkpoint')
    if target in _BARE:
        kept = {key.removeprefix('backbone.'): value for key, value in kept.items()}
        torchvision_name(kept, meta['network'])
    if target == 'safetensors' or path.endswith(ENDING):
        content = safetensors_bytes(dict(meta=meta, state_dict=kept))
    elif target in _BARE:
        content = _torch_bytes(kept)
    else:
        content = _torch_bytes(dict(meta=meta, state_dict=kept))
    stem, ending = os.path.splitext(path)
    ending = ENDING if target == 'safetensors' else ending or '.pth'
    path = f'{stem}-{hashlib.sha256(content).hexdigest()[:8]}{ending}'
    write_atomically(content, path)
    return path


def _refuse_supernet(state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    of_a_space = any(key == 'identity.description' for key in state)
    if of_a_space or meta['network'].get('supernet'):
        raise ValueError(
            'the checkpoint is a supernet, which other libraries cannot load: publish the network '
            'of one path instead. Train it with the retrain.py of tools/search.py '
            '(docs/search.md), or extract it with its weights (docs/vitas.md)'
        )


def _backbone(state: Mapping[str, Tensor], teacher: bool) -> dict[str, Tensor]:
    """The weights of student or teacher, contiguous, with keys ``backbone.*``."""
    prefix = 'teacher.backbone.' if teacher else 'backbone.'
    kept = {
        f'backbone.{key.removeprefix(prefix)}': value.detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for key, value in state.items()
        if key.startswith(prefix)
    }
    if not kept:
        raise KeyError(
            f'no key of the checkpoint starts with {prefix!r}; it has {sorted(state)[:5]}'
        )
    return kept


def torchvision_name(state: Mapping[str, Tensor], network: Mapping[str, Any]) -> str:
    """The name of a backbone in torchvision and timm.

    Args:
        state (Mapping[str, Tensor]): Its weights, with keys without prefix.
        network (Mapping): Its record.

    Returns:
        str: The name, such as 'resnet50'.

    Raises:
        ValueError: If they do not have this network. The message lists the differences.
    """
    import torchvision

    backbone = network.get('backbone') or {}
    differences = {}
    for depth in _DEPTHS:
        with torch.device('meta'):
            model = getattr(torchvision.models, f'resnet{depth}')(weights=None)
        model.fc = nn.Identity()
        differences[depth] = compare_state_dict(model.state_dict(), state)
        if not differences[depth]:
            if depth >= 50 and backbone.get('style') == 'caffe':
                raise ValueError(
                    "the backbone has style='caffe' (strides in the first 1x1 convolutions), "
                    'which torchvision and timm do not have: their network would load the weights '
                    'but compute different features'
                )
            for key, value in _FIXED.items():
                if backbone.get(key, value) != value:
                    raise ValueError(
                        f'the backbone has {key}={backbone[key]}, but torchvision and timm have '
                        f'{value}: their network would load the weights but compute different '
                        'features'
                    )
            return f'resnet{depth}'

    def faults(depth: int) -> int:
        found = differences[depth]
        return len(found.missing) + len(found.unexpected) + len(found.wrong_shape)

    nearest = min(_DEPTHS, key=faults)
    title = f'torchvision and timm do not have this backbone; the nearest is resnet{nearest}'
    raise ValueError(differences[nearest].describe(title))


def _torch_bytes(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
