"""Key maps from the authors' released checkpoints to mmrel's."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .official_vitas import is_supernet, supernet_extras
from .state_dict import check_finite, weights_of

# Pattern and replacement, after the leading ``module.`` is removed. The first
# match wins. The ResNets of torchvision and mmpretrain use the same names.
_KEY_MAPS: dict[str, list[tuple[str, str]]] = {
    'ressl': [
        (r'^encoder_q\.net\.', 'backbone.'),
        (r'^encoder_q\.head\.linear1\.', 'neck.mlp.0.'),
        (r'^encoder_q\.head\.linear2\.', 'neck.mlp.2.'),
        (r'^encoder_k\.net\.', 'teacher.backbone.'),
        (r'^encoder_k\.head\.linear1\.', 'teacher.neck.mlp.0.'),
        (r'^encoder_k\.head\.linear2\.', 'teacher.neck.mlp.2.'),
        (r'^queue_ptr$', 'memory.pointer'),
        (r'^queue$', 'memory.queue'),
    ],
    'wcl': [
        (r'^net\.', 'backbone.'),
        *(
            (rf'^head{number}\.{theirs}\.', f'{neck}.mlp.{ours}.')
            for number, neck in ((1, 'neck'), (2, 'graph_neck'))
            for theirs, ours in (
                ('linear1', 0),
                ('bn1', 1),
                ('linear2', 3),
                ('bn2', 4),
                ('linear3', 6),
            )
        ),
    ],
    'simmatch': [
        *(
            (rf'^{theirs}\.{part}\.', f'{ours}{name}.')
            for theirs, ours in (('main', ''), ('ema', 'teacher.'))
            for part, name in (
                ('backbone', 'backbone'),
                ('fc', 'classifier'),
                (r'head\.0', 'neck.mlp.0'),
                (r'head\.2', 'neck.mlp.2'),
            )
        ),
        (r'^bank$', 'memory.bank'),
        (r'^labels$', 'memory.labels'),
        (r'^DA_queue$', 'alignment.queue'),
        (r'^DA_ptr$', 'alignment.pointer'),
    ],
    # Searched networks and super-transformers. Identity blocks leave gaps in the indices.
    'vitas': [
        *(
            (rf'^net\.backbone_{theirs}', ours)
            for theirs, ours in (
                (
                    r'init_stem_Patch_init_0\.(\d+)\.patch_embed\.proj\.',
                    r'backbone.stems.\1.patch_embed.projection.',
                ),
                (r'init_stem_Patch_init_0\.(\d+)\.(cls_token|pos_embed)$', r'backbone.stems.\1.\2'),
                (
                    r'Block_(?:Block|id)_(\d+)\.0\.attn\.qk(\d+)\.',
                    r'backbone.blocks.\1.attn.qk.\2.',
                ),
                (
                    r'Block_(?:Block|id)_(\d+)\.0\.'
                    r'(norm[12]\.|attn\.(?:qkv|v|proj)\.|mlp\.fc[12]\.)',
                    r'backbone.blocks.\1.\2',
                ),
                (r'Norm_Norm_0\.0\.', 'backbone.norm.'),
                (r'FC_FC_0\.0\.module\.0\.', 'head.fc.'),
            )
        ),
    ],
}
# The entry of a file that holds the weights.
_ENTRIES = {'ressl': 'model', 'wcl': 'model', 'simmatch': 'state_dict', 'vitas': 'model'}

METHODS = tuple(_KEY_MAPS)


def convert_key(method: str, key: str) -> str:
    """Convert a key of an official checkpoint to mmrel's.

    Args:
        method (str): One of :data:`METHODS`.
        key (str): The official key, with or without ``module.``.

    Returns:
        str: The key in mmrel's algorithm of that method.

    Raises:
        KeyError: If the method does not have this key.
    """
    bare = key.removeprefix('module.')
    for pattern, replacement in _KEY_MAPS[method]:
        if re.match(pattern, bare):
            return re.sub(pattern, replacement, bare)
    raise KeyError(f'{key!r} is not a key of an official {method} checkpoint')


def convert_checkpoint(method: str, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an official checkpoint to mmrel's format.

    Args:
        method (str): One of :data:`METHODS`.
        checkpoint (Mapping): The official file's content.

    Returns:
        dict: ``state_dict`` with mmrel's keys, and ``meta`` with the origin
        (including the official epoch).

    Raises:
        KeyError: If the file has no entry with weights (``model``, or
            ``state_dict`` for SimMatch), or has unknown keys. The message
            lists them.
        RuntimeError: If the weights are not tensors, or are NaN or infinite.
    """
    entry = _ENTRIES[method]
    if entry not in checkpoint:
        raise KeyError(
            f'the checkpoint has no {entry!r}, only {sorted(map(str, checkpoint))[:8]}: '
            f'give an official {method} file'
        )
    where = f'the official {method} file'
    check_finite(weights_of(dict(state_dict=checkpoint[entry]), where), where)
    official = checkpoint[entry]
    state: dict[str, Tensor] = {}
    unknown = []
    for key, value in official.items():
        try:
            state[convert_key(method, key)] = value
        except KeyError:
            unknown.append(key)
    if unknown:
        raise KeyError(
            f'{len(unknown)} keys do not belong to an official {method} file: {unknown[:8]}'
        )
    if method == 'vitas':
        state = _finish_vitas(official, state)
    meta: dict[str, Any] = dict(converted_from=f'official {method} checkpoint')
    if isinstance(checkpoint.get('epoch'), int):
        meta['official_epoch'] = checkpoint['epoch']
    return dict(meta=meta, state_dict=state)


def _finish_vitas(official: Mapping[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the space to a super-transformer; rename the only stem of a searched network."""
    if is_supernet(official):
        return dict(state, **supernet_extras(official))
    return {key.replace('backbone.stems.0.', 'backbone.stem.'): state[key] for key in state}
