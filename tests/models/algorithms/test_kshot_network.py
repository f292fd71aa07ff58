"""The network of K-shot NAS: codes, statistics, extracted networks, checkpoints."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from mmrel.registry import MODELS
from tests.kshot import (
    CELLS,
    MOBILE,
    SPACES,
    build_kshot,
    changed,
    kshot_batch,
    kshot_optimizers,
    state_of,
)


@SPACES
@pytest.mark.parametrize('prepared', [True, False])
def test_the_network_cut_out_gives_the_paths_logits(parts: dict, prepared: bool) -> None:
    model = build_kshot(parts)
    optimisers = kshot_optimizers(model)
    for step in range(3):
        model.train_step(kshot_batch(seed=step), optimisers)
    model.eval()
    images = kshot_batch()['inputs']
    for path in model.space.paths(model.space.sample_indices(6, np.random.default_rng(0))):
        model.prepare_path(
            path, [kshot_batch(seed=s)['inputs'] for s in (7, 8)] if prepared else None
        )
        network = MODELS.build(model.space.subnet(path)).eval()
        network.load_state_dict(model.subnet_state_dict(path), strict=True)
        torch.testing.assert_close(
            network(images), model.path_logits(images, path)[0], rtol=1e-4, atol=1e-5
        )


def test_calibration_is_one_pass_and_leaves_nothing_to_the_next_path() -> None:
    model = build_kshot(MOBILE).eval()
    first, second = model.space.paths(model.space.sample_indices(2, np.random.default_rng(3)))
    batches, images = [kshot_batch(seed=s)['inputs'] for s in (4, 5)], kshot_batch()['inputs']
    before = state_of(model)
    running = model.path_logits(images, second)
    model.prepare_path(second, batches)
    alone = model.path_logits(images, second)
    assert not torch.allclose(alone, running)
    model.prepare_path(first, batches)
    assert torch.equal(model.path_logits(images, second), running)  # not the first one's
    model.prepare_path(second, batches)
    assert torch.equal(model.path_logits(images, second), alone)
    # Like torch's BN with momentum=None after one pass over the batches.
    network = MODELS.build(model.space.subnet(second))
    network.load_state_dict(model.subnet_state_dict(second))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for batch in batches:
            network.train()(batch)
    torch.testing.assert_close(network.eval()(images), alone[0], rtol=1e-4, atol=1e-5)
    assert not changed(before, state_of(model))
    model.train().eval()
    assert torch.equal(model.path_logits(images, second), running)


def test_a_checkpoint_goes_on_where_it_was() -> None:
    whole = build_kshot(CELLS)
    optimisers = kshot_optimizers(whole)
    for step in range(4):
        if step == 2:
            model, optim = copy.deepcopy(whole.state_dict()), copy.deepcopy(optimisers.state_dict())
        whole.train_step(kshot_batch(seed=step), optimisers)
    resumed = build_kshot(CELLS)
    resumed.load_state_dict(model)
    assert (resumed.steps, resumed.warm) == (2, True)
    restored = kshot_optimizers(resumed)
    restored.load_state_dict(optim)
    for step in (2, 3):
        resumed.train_step(kshot_batch(seed=step), restored)
    assert not changed(state_of(whole), state_of(resumed))


def test_codes_are_uniform_until_the_simplex_net_moves() -> None:
    model = build_kshot(CELLS)
    rows = model.space.sample_indices(5, np.random.default_rng(0))
    assert torch.equal(model.codes(rows), torch.full((5, 3), 1 / 3))
    model.warm = True
    codes = model.codes(rows)
    inputs = model.space.architecture_codes(rows), model.space.width_codes(rows)
    torch.testing.assert_close(codes, model.simplex_net(*map(torch.from_numpy, inputs)))
    assert len(codes.unique(dim=0)) == len({model.space.key(p) for p in model.space.paths(rows)})
    equal = model.space.canonical(rows)
    assert torch.equal(model.codes(equal), codes)


def test_predicts_with_the_path_of_the_config() -> None:
    space = build_kshot(CELLS).space
    path = dict(space.largest(), edge_0_1='skip')
    model = build_kshot(CELLS, val_path=path).eval()
    images = kshot_batch()['inputs']
    scores = torch.stack([sample.pred_score for sample in model(images, mode='predict')])
    torch.testing.assert_close(scores, model.path_logits(images, path)[0].softmax(1))


@SPACES
def test_logits_are_float32_under_autocast(parts: dict) -> None:
    model, data = build_kshot(parts), kshot_batch()
    path = model.space.largest()
    with torch.autocast('cpu', torch.bfloat16):
        assert model.logits(data['inputs'], path, model.code(path)).dtype == torch.float32
    assert build_kshot(parts).double().logits(
        data['inputs'].double(), path, model.code(path).double()
    ).dtype == torch.float64  # fmt: skip


def test_another_space_is_refused() -> None:
    other = build_kshot(dict(CELLS, space=dict(CELLS['space'], input_size=32)))
    with pytest.raises(ValueError, match='another search space'):
        build_kshot(CELLS).load_state_dict(other.state_dict())
