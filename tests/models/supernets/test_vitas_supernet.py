"""The super-transformer: a path equals the network extracted from it."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from mmrel.models import ViTAS
from mmrel.models.supernets import ViTASSupernet
from mmrel.registry import MODELS
from tests.vitas import SMALL_MODEL, small_space


@pytest.fixture
def model(mmrel_scope: None) -> ViTAS:
    built = MODELS.build(SMALL_MODEL)
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.4)
    return built


@pytest.mark.parametrize('seed', range(20))
@torch.no_grad()
def test_a_cut_out_subnet_is_its_path(model: ViTAS, seed: int) -> None:
    model.eval()
    path = model.space.sample(np.random.default_rng(seed))
    image = torch.randn(3, 3, 16, 16)
    logits = model.path_logits(image, path)
    assert logits.shape == (2, 3, 5)
    for side, expected in zip(('left', 'right'), logits, strict=True):
        subnet = MODELS.build(model.space.subnet(path, inherit=True)).eval()
        subnet.load_state_dict(model.subnet_state_dict(path, side))  # strict
        error = (subnet(image) - expected).abs().max() / expected.square().mean().sqrt()
        assert error < 1e-5
        # The weights also fit the network for retraining, which has its own scale.
        MODELS.build(model.space.subnet(path)).load_state_dict(model.subnet_state_dict(path, side))


@torch.no_grad()
def test_weights_are_cut_from_the_ends(model: ViTAS) -> None:
    path = dict(model.space.largest(), embed=0.3, **{'block0.attn': 0.5, 'block0.heads': 4})
    left, right = (model.subnet_state_dict(path, side) for side in ('left', 'right'))
    block, d, a = model.backbone.blocks[0], 6, 8  # of 20 and 16
    fused = block.attn.qk[1].weight
    # One layer of 2 * 8 of its 2 * 16 rows, not 8 of the 16 rows of q and of k.
    key = 'backbone.blocks.0.attn.qkv.weight'
    assert torch.equal(left[key], torch.cat([fused[: 2 * a, :d], block.attn.v.weight[:a, :d]]))
    assert torch.equal(right[key], torch.cat([fused[-2 * a :, -d:], block.attn.v.weight[-a:, -d:]]))
    positions = model.backbone.stems[0].pos_embed
    assert torch.equal(left['backbone.stem.pos_embed'], positions[:, :, :d])
    assert torch.equal(right['backbone.stem.pos_embed'], positions[:, :, -d:])
    assert torch.equal(right['head.fc.weight'], model.head.fc.weight[:, -d:])
    # They are copies: further training does not change them.
    before = left[key].clone()
    fused.zero_()
    assert torch.equal(left[key], before)


def test_a_path_leaves_nothing_behind(model: ViTAS) -> None:
    model.eval()
    paths = [model.space.sample(np.random.default_rng(i)) for i in range(6)]
    image = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        alone = {i: model.path_logits(image, path) for i, path in enumerate(paths)}
        for i, j in itertools.product(range(6), repeat=2):
            model.path_logits(image, paths[i])
            assert torch.equal(model.path_logits(image, paths[j]), alone[j])


def _expected_gradient(model: ViTAS, path: dict) -> dict[str, torch.Tensor]:
    """Masks by name: the part of each parameter that a path uses."""
    network = model.space.network(path)
    d = network['embed_dims']
    masks = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in model.named_parameters()}

    def mark(name: str, *widths: int | None) -> None:
        mask = masks[name]
        for side in ('left', 'right'):
            index = [
                slice(None) if w is None else slice(w) if side == 'left' else slice(n - w, n)
                for w, n in zip(widths, mask.shape, strict=False)
            ]
            mask[tuple(index)] = True

    def layer(name: str, *widths: int | None) -> None:
        mark(f'{name}.weight', *widths)
        mark(f'{name}.bias', widths[0])

    stem = f'backbone.stems.{model.space.patch_sizes.index(network["patch_size"])}'
    mark(f'{stem}.cls_token', None, None, d)
    mark(f'{stem}.pos_embed', None, None, d)
    layer(f'{stem}.patch_embed.projection', d)
    for i, block in enumerate(network['blocks']):
        if block is None:
            continue
        name, a = f'backbone.blocks.{i}', block['qkv_dims'] // 3
        layer(f'{name}.norm1', d)
        layer(f'{name}.norm2', d)
        layer(f'{name}.attn.qk.{model.space.heads.index(block["num_heads"])}', 2 * a, d)
        layer(f'{name}.attn.v', a, d)
        layer(f'{name}.attn.proj', d, a)
        layer(f'{name}.mlp.fc1', block['mlp_dims'], d)
        layer(f'{name}.mlp.fc2', d, block['mlp_dims'])
    layer('backbone.norm', d)
    layer('head.fc', None, d)
    return masks


@pytest.mark.parametrize('seed', range(8))
def test_what_a_path_uses_gets_a_gradient_and_nothing_else(model: ViTAS, seed: int) -> None:
    draws = model.space.paths(model.space.sample_indices(20, np.random.default_rng(seed)))
    # Without any block the patches do not reach the class token.
    path = next(path for path in draws if any(model.space.network(path)['blocks']))
    image = torch.randn(4, 3, 16, 16)
    model.double().head(model.path_features(image.double(), path)).square().sum().backward()
    masks = _expected_gradient(model, path)
    for name, parameter in model.named_parameters():
        if not masks[name].any():
            assert parameter.grad is None, name
            continue
        got = parameter.grad != 0
        key_bias = torch.zeros_like(got)
        if '.attn.qk.' in name and name.endswith('.bias'):
            # The softmax is invariant to the keys' bias: its gradient is rounding error.
            key_bias = parameter.grad.abs() < 1e-9
        assert torch.equal(got | key_bias, masks[name] | key_bias), name


def test_sharing(mmrel_scope: None) -> None:
    left = MODELS.build(dict(SMALL_MODEL, backbone=dict(type='ViTASSupernet', sharing='autoslim')))
    assert left.path_logits(torch.randn(2, 3, 16, 16), left.space.largest()).shape == (1, 2, 5)
    with pytest.raises(ValueError, match=r"backbone\.sharing='both'"):
        ViTASSupernet(small_space(), sharing='both')


def test_norms_and_private_parts() -> None:
    net = ViTASSupernet(small_space(), drop_path_rate=0.2)
    assert [tuple(stem.pos_embed.shape) for stem in net.stems] == [(1, 17, 20), (1, 5, 20)]
    skeleton = net.skeleton(net.space.largest())
    assert skeleton.norm.eps == 1e-5
    assert {norm.eps for block in skeleton.blocks for norm in (block.norm1, block.norm2)} == {1e-6}
    assert [block.drop_path.drop_prob for block in skeleton.blocks] == pytest.approx([0, 0.1, 0.2])
    assert skeleton.blocks[0].attn.scale == 6**-0.5  # 20 // 3


def test_a_path_outside_the_space_is_refused(model: ViTAS) -> None:
    path = dict(model.space.largest(), patch=16)
    for use in (lambda: model.path_logits(torch.zeros(1, 3, 16, 16), path),
                lambda: model.subnet_state_dict(path)):  # fmt: skip
        with pytest.raises(ValueError, match=r'patch=16 of the path must be one of \[4, 8\]'):
            use()
    with pytest.raises(ValueError, match="side='middle'"):
        model.subnet_state_dict(model.space.largest(), 'middle')
