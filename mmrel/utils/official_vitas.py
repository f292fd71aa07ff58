"""Recover the search space of the authors' super-transformer, which its file does not store."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from mmrel.spaces import ViTASSpace

# Choices that leave no trace in the weights' shapes.
_HEADS = (3, 6, 12, 16)


def is_supernet(state: Mapping[str, Tensor]) -> bool:
    """Whether official ViTAS weights are a super-transformer's, with separate q and k."""
    return any('.attn.qk0.' in key for key in state)


def supernet_extras(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What mmrel's super-transformer checkpoints hold in addition to the weights.

    Full widths, patch sizes, depth and identity are read from the shapes. Head
    counts and percents are those of the official release.

    Args:
        state (Mapping[str, Tensor]): Official weights, with official keys.

    Returns:
        dict[str, Tensor]: The space's description and the initial state of the path
        sampler.

    Raises:
        KeyError: If the release has no such super-transformer.
    """
    from mmrel.models.utils.space_identity import encode_space

    choices = {m[1] for m in (re.search(r'\.attn\.qk(\d+)\.', key) for key in state) if m}
    if len(choices) != len(_HEADS):
        raise KeyError(
            f'the super-transformer has {len(choices)} head choices, but the released ones have '
            f'{len(_HEADS)} ({_HEADS}): its search space cannot be recovered'
        )
    shapes = {key.partition('.net.')[2] or key: value.shape for key, value in state.items()}
    stem, block = 'backbone_init_stem_Patch_init_0.', r'backbone_Block_(Block|id)_(\d+)\.0\.'
    patches: list[int] = []
    tokens: list[int] = []
    while f'{stem}{len(patches)}.patch_embed.proj.weight' in shapes:
        tokens.append(shapes[f'{stem}{len(patches)}.pos_embed'][1])
        patches.append(shapes[f'{stem}{len(patches)}.patch_embed.proj.weight'][-1])
    matches = [m for m in (re.match(block, key) for key in shapes) if m]
    if not patches or not matches:
        raise KeyError(
            'the file lacks the patch embedding or the blocks of a released super-transformer: '
            f'{stem}0, {block}'
        )
    first = matches[0][0]
    space = ViTASSpace(
        image_size=math.isqrt(tokens[0] - 1) * patches[0],
        patch_sizes=patches,
        heads=_HEADS,
        embed_dims=shapes[f'{stem}0.cls_token'][-1],
        qkv_dims=3 * shapes[f'{first}attn.v.weight'][0],
        mlp_dims=shapes[f'{first}mlp.fc1.weight'][0],
        depth=1 + max(int(m[2]) for m in matches),
        allow_identity=matches[0][1] == 'id',
        num_classes=shapes['backbone_FC_FC_0.0.module.0.weight'][0],
    )
    return {
        'identity.description': encode_space(space),
        'sampler.state': torch.tensor([0, 0]),
    }
