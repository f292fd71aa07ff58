"""The stand-alone searched network against plain arithmetic, and in typical use."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmrel.models import SearchedViT
from mmrel.models.utils import feature_dim
from mmrel.registry import MODELS

BLOCKS = [
    dict(num_heads=2, qkv_dims=24, mlp_dims=20),
    None,
    dict(num_heads=3, qkv_dims=36, mlp_dims=8),
]
ARGUMENTS = dict(embed_dims=10, blocks=BLOCKS, img_size=16, patch_size=4)


def _randomise(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model.eval()


def _slow(model: SearchedViT, image: torch.Tensor) -> torch.Tensor:
    """One image's tokens, patch by patch and head by head."""
    state = model.state_dict()
    weight, bias = (state[f'stem.patch_embed.projection.{k}'] for k in ('weight', 'bias'))
    patches = [
        (weight * image[:, i : i + 4, j : j + 4]).sum((1, 2, 3)) + bias
        for i in range(0, 16, 4)
        for j in range(0, 16, 4)
    ]
    x = torch.stack([state['stem.cls_token'][0, 0], *patches]) + state['stem.pos_embed'][0]
    for i, block in enumerate(BLOCKS):
        if block is None:
            continue
        part = {k.removeprefix(f'blocks.{i}.'): v for k, v in state.items()}
        y = F.layer_norm(x, (10,), part['norm1.weight'], part['norm1.bias'], 1e-6)
        qkv = y @ part['attn.qkv.weight'].T + part['attn.qkv.bias']
        width, heads = block['qkv_dims'] // 3, block['num_heads']
        size = width // heads
        out = []
        for h in range(heads):
            q, k, v = (
                qkv[:, part * width + h * size : part * width + (h + 1) * size] for part in range(3)
            )
            scores = q @ k.T / (10 // heads) ** 0.5
            out.append(scores.softmax(1) @ v)
        x = x + torch.cat(out, 1) @ part['attn.proj.weight'].T + part['attn.proj.bias']
        y = F.layer_norm(x, (10,), part['norm2.weight'], part['norm2.bias'], 1e-6)
        y = y @ part['mlp.fc1.weight'].T + part['mlp.fc1.bias']
        y = y * (1 + torch.erf(y / 2**0.5)) / 2
        x = x + y @ part['mlp.fc2.weight'].T + part['mlp.fc2.bias']
    return F.layer_norm(x, (10,), state['norm.weight'], state['norm.bias'], 1e-5)


@torch.no_grad()
def test_it_computes_what_its_text_says() -> None:
    model = _randomise(SearchedViT(**ARGUMENTS)).double()
    image = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    slow = torch.stack([_slow(model, x) for x in image])
    torch.testing.assert_close(model(image)[0], slow[:, 0])
    model.out_type = 'raw'
    torch.testing.assert_close(model(image)[0], slow)
    model.out_type = 'featmap'
    torch.testing.assert_close(
        model(image)[0], slow[:, 1:].reshape(2, 4, 4, 10).permute(0, 3, 1, 2)
    )


@torch.no_grad()
def test_identity_blocks_give_what_came_in() -> None:
    blocks = [BLOCKS[0], None, BLOCKS[2], None]
    arguments = dict(ARGUMENTS, blocks=blocks, out_indices=range(4), out_type='raw')
    model = _randomise(SearchedViT(**arguments))
    first, same, third, last = model(torch.randn(2, 3, 13, 22))  # padded to 16 x 24
    assert first.shape == (2, 1 + 4 * 6, 10)
    assert torch.equal(first, same)
    assert not torch.allclose(same, third)
    torch.testing.assert_close(
        last, F.layer_norm(third, (10,), model.norm.weight, model.norm.bias, 1e-5)
    )


def test_norms_and_drop_path() -> None:
    model = SearchedViT(**ARGUMENTS, drop_path_rate=0.3)
    assert model.norm.eps == 1e-5
    assert {model.blocks[i].norm1.eps for i in (0, 2)} == {1e-6}
    assert {model.blocks[i].norm2.eps for i in (0, 2)} == {1e-6}
    # Identity blocks count in the depth.
    rates = [model.blocks[i].drop_path.drop_prob for i in (0, 2)]
    assert rates == pytest.approx([0.0, 0.3])


@torch.no_grad()
def test_other_image_sizes_and_stages(mmrel_scope: None) -> None:
    arguments = dict(ARGUMENTS, type='SearchedViT', out_indices=(0, -1), out_type='featmap')
    model = _randomise(MODELS.build(arguments))
    shapes = [tuple(x.shape) for x in model(torch.randn(2, 3, 24, 34))]
    assert shapes == [(2, 10, 6, 9)] * 2  # 34 is padded to 36
    first, last = model(torch.randn(1, 3, 16, 16))
    assert not torch.allclose(first, last)
    assert feature_dim(model) == 10
    # Interpolation does not change constant position embeddings.
    model.stem.pos_embed.fill_(0.5)
    gray = torch.ones(1, 3, 8, 8)
    tokens = model.stem(gray)[0]
    torch.testing.assert_close(tokens[:, 1:], model.stem.patch_embed(gray)[0] + 0.5)


def test_frozen_parts_stay_in_eval_mode() -> None:
    model = SearchedViT(**ARGUMENTS, frozen_stages=2).train()
    trained = {
        name.split('.')[0] + name.split('.')[1]
        for name, p in model.named_parameters()
        if p.requires_grad
    }
    assert trained == {'blocks2', 'normweight', 'normbias'}
    assert not model.blocks[0].training
    assert model.blocks[2].training


def test_initialization() -> None:
    model = SearchedViT(embed_dims=64, blocks=[dict(num_heads=4, qkv_dims=192, mlp_dims=256)])
    model.init_weights()
    for weight in (model.blocks[0].attn.qkv.weight, model.stem.pos_embed, model.stem.cls_token):
        assert weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert not model.blocks[0].mlp.fc1.bias.any()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(blocks=[dict(num_heads=5, qkv_dims=24, mlp_dims=4)]), r'blocks\[0\]\.qkv_dims=24'),
        (dict(blocks=[dict(heads=5)]), 'must be None or have num_heads'),
        (dict(out_indices=3), r'out_indices=\[3\]'),
        (dict(out_type='map'), "out_type='map'"),
        (dict(frozen_stages=4), 'frozen_stages=4'),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchedViT(**dict(ARGUMENTS, **changes))
