"""A ViTAS space that is small enough for tests, and the paths of the parity cases."""

import math

from mmrel.spaces import ViTASSpace

HALVES = (0.5, 1.0)
SMALL_SPACE = dict(
    type='ViTASSpace',
    image_size=16,
    patch_sizes=(4, 8),
    heads=(2, 4),
    percents=dict(embed=(0.3, 0.7, 1.0), attn=HALVES, mlp=(0.25, 0.6, 1.0)),
    embed_dims=20,
    qkv_dims=48,
    mlp_dims=32,
    depth=3,
    num_classes=5,
)
SMALL_MODEL = dict(
    type='ViTAS',
    space=SMALL_SPACE,
    backbone=dict(type='ViTASSupernet'),
    head=dict(type='SlicedLinearClsHead'),
)


def small_space(**changes: object) -> ViTASSpace:
    settings = dict(SMALL_SPACE, **changes)
    del settings['type']
    return ViTASSpace(**settings)


def case_space(case: dict) -> ViTASSpace:
    """The space of a parity case: its full widths and options."""
    backbone = case['model']['backbone']
    _, _, patches, _, embed, *_ = backbone['init_stem']
    depth, _, heads, qkv, _, mlp, *_, operations = backbone['Block']
    percents = case.get('width_percent') or case['model'].get('channel_percent') or [1.0]
    stem = {k.partition('Patch_init_0.0.')[2]: shape for k, shape in case['keys'].items()}
    side = math.isqrt(stem['pos_embed'][1] - 1)  # of the first stem, in patches
    return ViTASSpace(
        image_size=side * stem['patch_embed.proj.weight'][-1],
        patch_sizes=patches,
        heads=heads,
        percents=dict.fromkeys(('embed', 'attn', 'mlp'), percents),
        embed_dims=embed,
        qkv_dims=qkv,
        mlp_dims=mlp,
        depth=depth,
        allow_identity='id' in operations,
        num_classes=backbone['FC'][4],
    )


def path_of_places(
    space: ViTASSpace, patch: int, heads: list[int], embed: int, widths: list[tuple[int, int]]
) -> dict:
    """A path by the places of its options, in the order of a ``net_id``."""
    places = [patch, *heads, embed, *(place for pair in widths for place in pair)]
    return space.paths([places])[0]


def case_path(space: ViTASSpace, case: dict) -> dict:
    """The path of a searched network's case."""
    net_id = case['model'].get('net_id')
    if net_id is None:  # widths given directly: one option for each
        return path_of_places(space, 0, [0] * space.depth, 0, [(0, 0)] * space.depth)
    patch, *rest = map(int, net_id.split())
    heads, (_, _, embed, *widths) = rest[: space.depth], rest[space.depth :]
    return path_of_places(
        space, patch, heads, embed, list(zip(widths[::2], widths[1::2], strict=True))
    )


def supernet_path(space: ViTASSpace, entry: dict) -> dict:
    """The path of an entry of a supernet's case."""
    blocks = entry['blocks']
    return path_of_places(
        space,
        entry['patch_choice'],
        [block['op'] for block in blocks],
        entry['embed_width'],
        [(block['attn_width'], block['mlp_width']) for block in blocks],
    )
