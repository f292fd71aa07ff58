"""Keys of the authors' ViTAS checkpoints; the search space, which their files do not store."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from mmrel.spaces import ViTASSpace
from mmrel.spaces.space import encode_space

from .release import Release

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


def _finish(official: Mapping[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the space to a super-transformer; rename the only stem of a searched network."""
    if is_supernet(official):
        return dict(state, **supernet_extras(official))
    return {key.replace('backbone.stems.0.', 'backbone.stem.'): state[key] for key in state}


# Searched networks and super-transformers. Identity blocks leave gaps in the indices.
RELEASE = Release(
    entry='model',
    keys=[
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
    finish=_finish,
)
