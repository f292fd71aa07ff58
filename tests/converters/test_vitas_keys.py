"""Keys of the authors' ViTAS files; the space, from the shapes of the weights."""

import json

import pytest
import torch
from torch import Tensor

from mmrel.converters import convert_checkpoint, convert_key
from mmrel.converters.vitas import is_supernet, supernet_extras
from mmrel.spaces import ViTASSpace

NET = 'module.net.backbone'


def _official(heads: int = 4, kind: str = 'id', depth: int = 11) -> dict[str, Tensor]:
    """The weights that tell the space; the last block has two digits."""
    shapes = {f'{NET}_FC_FC_0.0.module.0.weight': (5, 20)}
    for k, patch in enumerate((4, 8)):
        stem = f'{NET}_init_stem_Patch_init_0.{k}'
        shapes[f'{stem}.cls_token'] = (1, 1, 20)
        shapes[f'{stem}.pos_embed'] = (1, (16 // patch) ** 2 + 1, 20)
        shapes[f'{stem}.patch_embed.proj.weight'] = (20, 3, patch, patch)
    for i in range(depth):
        block = f'{NET}_Block_{kind}_{i}.0'
        shapes |= {f'{block}.attn.qk{k}.weight': (960, 20) for k in range(heads)}
        shapes |= {f'{block}.attn.v.weight': (480, 20), f'{block}.mlp.fc1.weight': (32, 20)}
    return {key: torch.zeros(shape) for key, shape in shapes.items()}


@pytest.mark.parametrize('kind', ['id', 'Block'])
def test_the_space_is_read_from_the_shapes(kind: str) -> None:
    space = ViTASSpace(
        image_size=16, patch_sizes=(4, 8), heads=(3, 6, 12, 16), embed_dims=20, qkv_dims=1440,
        mlp_dims=32, depth=11, allow_identity=kind == 'id', num_classes=5,
    )  # fmt: skip
    extras = supernet_extras(_official(kind=kind))
    found = json.loads(bytes(extras['identity.description'].tolist()))
    assert found == json.loads(json.dumps(space.describe()))
    assert extras['sampler.state'].tolist() == [0, 0]


def test_a_supernet_has_separate_queries_and_keys() -> None:
    assert is_supernet(_official())
    assert not is_supernet({f'{NET}_Block_Block_0.0.attn.qkv.weight': torch.zeros(1)})


def test_what_was_not_released_is_refused() -> None:
    with pytest.raises(KeyError, match=r'has 3 head choices, but the released ones have 4'):
        supernet_extras(_official(heads=3))
    state = {key: value for key, value in _official().items() if 'init_stem' not in key}
    with pytest.raises(KeyError, match='the file lacks the patch embedding or the blocks'):
        supernet_extras(state)


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('Block_id_12.0.attn.qk3.weight', 'backbone.blocks.12.attn.qk.3.weight'),
        ('Block_Block_1.0.norm2.bias', 'backbone.blocks.1.norm2.bias'),
        ('init_stem_Patch_init_0.2.pos_embed', 'backbone.stems.2.pos_embed'),
        ('FC_FC_0.0.module.0.bias', 'head.fc.bias'),
    ],
)
def test_keys_by_hand(theirs: str, ours: str) -> None:
    assert convert_key('vitas', f'{NET}_{theirs}') == ours


def test_a_searched_network_has_one_stem() -> None:
    key = 'module.net.backbone_init_stem_Patch_init_0.0.cls_token'
    found = convert_checkpoint('vitas', dict(model={key: torch.zeros(1)}))['state_dict']
    assert list(found) == ['backbone.stem.cls_token']
