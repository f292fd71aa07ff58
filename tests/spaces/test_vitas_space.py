"""ViTAS's space against slow counts, and against fvcore's counts on built networks."""

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis

from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import ViTASSpace
from tests.vitas import SMALL_SPACE, small_space


def _draws(space: ViTASSpace, n: int, seed: int = 0) -> np.ndarray:
    return space.sample_indices(n, np.random.default_rng(seed))


def test_it_is_built_from_config(mmrel_scope: None) -> None:
    space = SEARCH_SPACES.build(SMALL_SPACE)
    assert list(space.choices) == [
        'patch', 'block0.heads', 'block1.heads', 'block2.heads', 'embed',
        'block0.attn', 'block0.mlp', 'block1.attn', 'block1.mlp', 'block2.attn', 'block2.mlp',
    ]  # fmt: skip
    assert space.choices['block1.heads'] == (2, 4, None)
    fixed = small_space(allow_identity=False)
    assert fixed.choices['block1.heads'] == (2, 4)
    assert fixed.fingerprint() != space.fingerprint()


def test_the_default_is_the_released_space() -> None:
    space = ViTASSpace()
    path = space.paths(np.zeros((1, 50), dtype=int))[0]
    # 384 * 0.6 is 230.4.
    network = space.network(dict(path, embed=0.6))
    assert network['embed_dims'] == 230
    assert network['blocks'] == [dict(num_heads=3, qkv_dims=144, mlp_dims=144)] * 16
    assert space.attn_scale == 128**-0.5
    assert space.size == 3 * 5**16 * 10**33


@pytest.mark.parametrize('seed', range(3))
def test_flops_are_the_papers_sum_over_layers(seed: int) -> None:
    space = small_space()
    draws = _draws(space, 20, seed)
    for path, flops in zip(space.paths(draws), space.flops(draws).tolist(), strict=True):
        network = space.network(path)
        p, d = network['patch_size'], network['embed_dims']
        t = (16 // p) ** 2
        slow = 3 * d * p * p * t + t * d * 5
        for block in network['blocks']:
            if block is not None:
                qkv, hidden = block['qkv_dims'], block['mlp_dims']
                slow += t * d * qkv + 2 * t * t * qkv // 3 + t * qkv // 3 * d + 2 * t * d * hidden
        assert flops == slow


def _attention_macs(inputs: list, outputs: list) -> int:
    """q k^T and its product with v, which fvcore does not count."""
    query, key = (value.type().sizes() for value in inputs[:2])
    batch, heads, tokens, width = query
    return 2 * batch * heads * tokens * key[2] * width


def test_costs_are_those_of_the_built_networks(mmrel_scope: None) -> None:
    space = small_space()
    draws = _draws(space, 12, 5)
    for path, flops, parameters in zip(
        space.paths(draws), space.flops(draws), space.parameters(draws), strict=True
    ):
        model = MODELS.build(space.subnet(path)).eval()
        assert parameters == sum(p.numel() for p in model.parameters())
        count = FlopCountAnalysis(model, torch.zeros(1, 3, 16, 16))
        count.set_op_handle('aten::scaled_dot_product_attention', _attention_macs)
        count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        real = {k: v for k, v in count.by_operator().items() if k in ('conv', 'linear')}
        real['attention'] = count.by_operator()['scaled_dot_product_attention']
        # The paper leaves the class token out, and counts the classifier for every patch.
        network = space.network(path)
        d, t = network['embed_dims'], (16 // network['patch_size']) ** 2
        blocks = [block for block in network['blocks'] if block is not None]
        token = sum(
            b['qkv_dims'] * d + b['qkv_dims'] // 3 * d + 2 * d * b['mlp_dims'] for b in blocks
        )
        attention = sum(2 * ((t + 1) ** 2 - t**2) * (b['qkv_dims'] // 3) for b in blocks)
        assert sum(real.values()) == flops + token + attention - (t - 1) * d * 5


def test_equal_networks_are_one() -> None:
    space = small_space()
    path = dict(space.largest(), **{'block1.heads': None})
    other = dict(path, **{'block1.attn': 0.5, 'block1.mlp': 0.25})
    assert space.key(path) == space.key(other)
    assert space.network(path) == space.network(other)
    unused = ~space.used(space.indices([path]))[0]
    assert [n for n, u in zip(space.choices, unused, strict=True) if u] == [
        'block1.attn', 'block1.mlp',
    ]  # fmt: skip
    draws = _draws(space, 400)
    networks = {str(space.network(path)) for path in space.paths(draws)}
    assert len(networks) == len({space.key(path) for path in space.paths(draws)})


def test_largest_costs_most() -> None:
    space = small_space()
    largest = space.largest()
    (most,) = space.flops(space.indices([largest]))
    assert most >= space.flops(_draws(space, 2000)).max()
    # Every other option costs less, except heads, which cost nothing.
    for name, options in space.choices.items():
        others = [option for option in options if option != largest[name]]
        costs = space.flops(space.indices([{**largest, name: option} for option in others]))
        free = name.endswith('heads')
        assert [cost < most for cost in costs] == [not free or o is None for o in others]


def test_sampling() -> None:
    space = small_space(identity_probability=0.2)
    draws = _draws(space, 40_000)
    heads = draws[:, 1:4]
    np.testing.assert_allclose((heads == 2).mean(axis=0), 0.2, atol=0.01)
    np.testing.assert_allclose((heads == 0).mean(axis=0), 0.4, atol=0.01)
    for column, options in enumerate(space.choices.values()):
        if not 1 <= column <= 3:
            shares = np.bincount(draws[:, column], minlength=len(options)) / len(draws)
            np.testing.assert_allclose(shares, 1 / len(options), atol=0.01)
    assert not (_draws(small_space(allow_identity=False), 1000)[:, 1:4] == 2).any()


def test_the_former_names_of_the_percents_work() -> None:
    former = small_space(mlp_percents=(0.5, 1.0), embed_percents=(1.0,))
    percents = dict(SMALL_SPACE['percents'], mlp=(0.5, 1.0), embed=(1.0,))
    assert former.fingerprint() == small_space(percents=percents).fingerprint()
    assert former.choices['block0.mlp'] == (0.5, 1.0)
    settings = {k: v for k, v in SMALL_SPACE.items() if k not in ('type', 'percents')}
    first = [settings.pop(key) for key in ('image_size', 'patch_sizes', 'heads')]
    placed = ViTASSpace(*first, *SMALL_SPACE['percents'].values(), **settings)
    assert placed.fingerprint() == small_space().fingerprint()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(patch_sizes=(5,)), r'patch_sizes has 5, .*image_size=16'),
        (dict(patch_sizes=()), 'patch_sizes='),
        (dict(heads=(0,)), r'heads=\(0,\)'),
        (dict(heads=(5,)), r'percents\.attn has 0\.5.*3 \* 5'),
        (dict(qkv_dims=50), r'25 of space\.qkv_dims=50'),
        (dict(depth=0), 'depth=0'),
        (dict(embed_dims=2.5), r'embed_dims=2\.5'),
        (dict(percents=dict(mlp=(1.5,))), r'percents\.mlp='),
        (dict(percents=dict(mlp=(0.001,))), 'leaves no channel'),
        (dict(percents=dict(qkv=(0.5,))), r'percents\.qkv is not a setting: .* embed, attn, mlp'),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_space(**changes)


def test_a_path_outside_the_space_has_no_network() -> None:
    space = small_space()
    with pytest.raises(
        ValueError, match=r'block0\.heads=3 of the path must be one of \[2, 4, None\]'
    ):
        space.subnet(dict(space.largest(), **{'block0.heads': 3}))


def test_other_positions_and_values_of_the_percents_are_refused() -> None:
    with pytest.raises(TypeError, match='give all else by name'):
        ViTASSpace(32, (4,), (2,), (1.0,), (1.0,), (1.0,), 64)
    with pytest.raises(
        ValueError, match=r'space\.percents\.embed=0\.5 must be a list of fractions'
    ):
        small_space(percents=dict(embed=0.5))
