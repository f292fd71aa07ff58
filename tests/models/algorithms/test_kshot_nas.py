"""K-shot NAS: the one-shot supernet, the two steps, ranks, statistics, extracted networks."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.engine import KShotOptimWrapperConstructor, ReplicaParallel
from mmrel.registry import MODELS
from tests.distributed import run_ranks
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
from tests.progress import at_iteration


class _OneShot:
    """The one-shot supernet written out: each path's network is built, filled, and read back."""

    def __init__(self, model: nn.Module) -> None:
        self.space = model.space
        self.parameters = {
            name: nn.Parameter(p.detach()[0].clone()) for name, p in model.named_parameters()
        }
        self.statistics = {
            name: b.clone() for name, b in model.named_buffers() if 'running' in name
        }

    def _sources(self, network: nn.Module, path: dict) -> Iterator[tuple[Tensor, Tensor, str]]:
        """The network's tensors, their slices of the supernet's, and the supernet's names."""
        for key, value in network.state_dict(keep_vars=True).items():
            layer, _, leaf = key.rpartition('.')
            if layer == 'head.fc':
                source = f'classifier.{leaf}'
            else:
                shared = self.space.shared_key(path, layer.removeprefix('backbone.'))
                source = f'backbone.{shared}.{leaf}'
            if leaf != 'num_batches_tracked':
                own = {**self.parameters, **self.statistics}[source]
                yield value, own[tuple(slice(n) for n in value.shape)], source

    def step(self, head: nn.Module, data: dict, path: dict) -> Tensor:
        """The loss of a path; sets gradients and running statistics."""
        network = MODELS.build(self.space.subnet(path)).train()
        with torch.no_grad():
            for value, own, _ in self._sources(network, path):
                value.copy_(own)
        logits = network(data['inputs'])
        loss = head.loss((logits,), data['data_samples'])['loss']
        loss.backward()
        for parameter in self.parameters.values():
            parameter.grad = None
        with torch.no_grad():
            for value, own, name in self._sources(network, path):
                if name in self.statistics:
                    own.copy_(value)
                    continue
                parameter = self.parameters[name]
                parameter.grad = torch.zeros_like(parameter)
                parameter.grad[tuple(slice(n) for n in value.shape)] = value.grad
        return loss.detach()


@SPACES
def test_one_dictionary_makes_the_one_shot_supernets_steps(parts: dict, mmrel_scope: None) -> None:
    model = build_kshot(parts, k=1)
    plain, optimisers = _OneShot(model), kshot_optimizers(model)
    assert model.simplex_net is None
    assert list(optimisers.keys()) == ['weights']
    sgd = torch.optim.SGD(plain.parameters.values(), 0.1, momentum=0.9, weight_decay=1e-4)
    for step in range(10):
        data = kshot_batch(seed=step)
        path = model.space.paths(model._draw(1, 0))[0]
        loss = plain.step(model.head, data, path)
        log = model.train_step(data, optimisers)
        sgd.step()
        torch.testing.assert_close(log['loss'], loss)
    for name, mine in model.named_parameters():
        torch.testing.assert_close(mine[0], plain.parameters[name])
    assert plain.statistics
    for name, buffer in plain.statistics.items():
        torch.testing.assert_close(model.get_buffer(name), buffer)


@SPACES
def test_equal_codes_and_starts_are_one_dictionary_at_another_rate_and_decay(
    parts: dict, tmp_path: Path, mmrel_scope: None
) -> None:
    """A K-th of the rate, K times the decay: K > 1 can differ only by its codes or its start."""
    one, file = build_kshot(parts, k=1).double(), tmp_path / 'one.pth'
    torch.save(dict(state_dict=one.state_dict()), file)
    init = dict(type='OneShotInit', checkpoint=str(file), noise=0.0)
    many = build_kshot(parts, k=3, simplex=dict(code_source='uniform'), init_cfg=init).double()
    many.init_weights()
    for model in (one, many):  # the preprocessor would give float32
        model.data_preprocessor.forward = lambda data, training: data
    optimizers = (
        kshot_optimizers(one, lr=0.1 / 3, weight_decay=3e-3),
        kshot_optimizers(many, lr=0.1, weight_decay=1e-3),
    )
    for step in range(8):
        data = kshot_batch(seed=step)
        data['inputs'] = data['inputs'].double()
        losses = [
            model.train_step(data, own)['loss']
            for model, own in zip((one, many), optimizers, strict=True)
        ]
        torch.testing.assert_close(*losses)
    for name, values in many.named_parameters():
        for item in values:
            torch.testing.assert_close(item, one.get_parameter(name)[0])


def _two_steps(model: nn.Module) -> list[dict]:
    """States at the start, after the step of the weights and after the simplex-net's."""
    optimisers, data = kshot_optimizers(model), kshot_batch()
    states = [state_of(model)]
    whole = model.simplex_loss

    def noted(*args) -> dict:
        states.append(state_of(model))
        return whole(*args)

    model.simplex_loss = noted
    model.train_step(data, optimisers)
    states.append(state_of(model))
    return states


@SPACES
def test_each_step_changes_only_what_it_may(parts: dict) -> None:
    model = build_kshot(parts)
    start, middle, end = _two_steps(model)
    weights, simplex = changed(start, middle), changed(middle, end)
    assert weights
    assert not any(key.startswith('simplex_net.') for key in weights)
    assert 'classifier.weight' in weights
    parameters = {f'simplex_net.{name}' for name, _ in model.simplex_net.named_parameters()}
    assert {'simplex_net.out.weight', 'simplex_net.out.bias'} <= simplex <= parameters


def test_operations_that_the_path_leaves_out_do_not_move() -> None:
    model = build_kshot(MOBILE)
    path = model.space.paths(model._draw(1, 0))[0]
    start, middle, _ = _two_steps(model)
    for key in changed(start, middle):
        if key.startswith('backbone.layers.'):
            _, _, layer, op = key.split('.')[:4]
            assert path[f'layer{layer}.op'] == op


def test_parts_see_their_path_and_code() -> None:
    """The simplex-net's loss and gradient are those of the parts, combined by hand."""
    model = build_kshot(
        MOBILE, simplex=dict(regularizer=dict(type='WidthSimilarityLoss', loss_weight=0.5))
    ).double()
    data = kshot_batch(10)
    images, labels = data['inputs'].double(), torch.arange(10) % 3
    model.warm = True
    losses = model.simplex_loss(images, data['data_samples'])
    indices = model._draw(4, 1)
    codes = model.codes(indices)
    total, start = 0.0, 0
    for i, size in enumerate((3, 3, 2, 2)):
        part = slice(start, start + size)
        logits = model.logits(images[part], model.space.paths(indices)[i], codes[i])
        total = total + F.cross_entropy(logits, labels[part], reduction='sum') / 10
        start += size
    torch.testing.assert_close(losses['loss_simplex'], total)
    widths = torch.from_numpy(model.space.mean_width(indices)).double()
    torch.testing.assert_close(losses['loss_code'], model.regularizer(codes, widths))
    torch.testing.assert_close(losses['code_mean/2'], codes[:, 1].mean())
    torch.testing.assert_close(losses['code_spread'], codes.std(0, correction=0).mean())
    parameters = list(model.simplex_net.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(losses['loss_simplex'], parameters),
        torch.autograd.grad(total, parameters),
    )


def _simplex_gradients(model: nn.Module, images: Tensor, samples: list, paths: np.ndarray) -> list:
    """Gradients of the simplex-net's step on these m paths."""
    model._draw_simplex_paths = lambda: paths
    losses = model.simplex_loss(images, samples)
    return [
        *torch.autograd.grad(losses['loss_simplex'], list(model.simplex_net.parameters())),
        losses['loss_code'].detach(),
    ]


def test_fewer_larger_parts_have_the_same_expected_gradient() -> None:
    """Averaged over all orders of the paths, if no norm depends on the batch."""
    settings = dict(parts=4, regularizer=dict(type='WidthSimilarityLoss', loss_weight=0.5))
    found = []
    for run_paths in (None, 2, 1):
        model = build_kshot(MOBILE, simplex=dict(settings, run_paths=run_paths)).double()
        model.warm = True
        model.backbone.eval()  # norms then use fresh running statistics
        data = kshot_batch(8)
        images, paths = data['inputs'].double(), model._draw(4, 1)
        orders = [
            _simplex_gradients(model, images, data['data_samples'], paths[list(order)])
            for order in itertools.permutations(range(4))
        ]
        found.append([torch.stack(same).mean(0) for same in zip(*orders, strict=True)])
        spread = torch.stack([order[0] for order in orders]).std(0).max()
        assert spread > 1e-3 * found[-1][0].abs().max()  # one order alone is not enough
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_paths_that_run_are_fair_without_the_others() -> None:
    model = build_kshot(CELLS, sampling='fair', simplex=dict(parts=8, run_paths=3))
    drawn = []
    for model.steps in range(10):
        paths = model._draw_simplex_paths()
        assert paths.shape == (8, len(model.space.choices))
        drawn.append(paths[: model.run_paths])
    for column in np.concatenate(drawn).T:  # 30 draws of 5 options
        assert np.bincount(column, minlength=5).tolist() == [6] * 5


def test_run_paths_is_an_upper_limit() -> None:
    """A config that inherits it may have fewer parts."""
    assert build_kshot(CELLS, simplex=dict(parts=2, run_paths=4)).run_paths == 2


def test_gradients_of_both_steps_agree_with_finite_differences() -> None:
    model = build_kshot(CELLS).double()
    data = kshot_batch(4)
    images, samples = data['inputs'].double(), data['data_samples']
    generator = torch.Generator().manual_seed(0)

    def check(loss, parameter: nn.Parameter) -> None:
        grad = torch.autograd.grad(loss(), parameter)[0]
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter += 1e-6 * direction
            above = loss()
            parameter -= 2e-6 * direction
            below = loss()
            parameter += 1e-6 * direction
        torch.testing.assert_close(
            (grad * direction).sum(), (above - below) / 2e-6, rtol=1e-4, atol=1e-7
        )

    check(lambda: model.loss(images, samples)['loss'], model.classifier.weight)
    check(
        lambda: model.loss(images, samples)['loss'],
        model.backbone.get_parameter('reductions.1.shortcut.weight'),
    )
    for parameter in (model.simplex_net.out.weight, model.simplex_net.architecture.weight):
        check(lambda: model.simplex_loss(images, samples)['loss_simplex'], parameter)


def _on_rank(rank: int) -> dict:
    model = ReplicaParallel(build_kshot(MOBILE))
    inner = model.module
    optimisers, found = kshot_optimizers(inner), {}
    for step in range(3):
        # Each rank has different images.
        model.train_step(kshot_batch(seed=10 * step + rank), optimisers)
    start, middle, end = _two_steps(inner)
    found['weights'] = sorted(changed(start, middle))
    found['simplex'] = sorted(changed(middle, end))
    found['parameters'] = dict(inner.named_parameters())
    found['running'] = inner.backbone.stem_norm.running_mean
    return {k: ({n: p.detach() for n, p in v.items()} if k == 'parameters' else v)
            for k, v in found.items()}  # fmt: skip


def test_two_ranks_stay_identical_and_each_step_keeps_to_its_own() -> None:
    one, two = run_ranks(_on_rank, 2)
    for key, value in one['parameters'].items():
        assert torch.equal(value, two['parameters'][key]), key
    assert not torch.equal(one['running'], two['running'])  # they did see other images
    for part in (one, two):
        assert part['weights']
        assert part['simplex']
        assert not any(key.startswith('simplex_net.') for key in part['weights'])
        assert all(key.startswith('simplex_net.') for key in part['simplex'])


def _mean_step_on_rank(rank: int) -> dict:
    model, data = build_kshot(CELLS).eval(), kshot_batch(8)
    half = slice(4 * rank, 4 * rank + 4)
    model.train_step({key: value[half] for key, value in data.items()}, kshot_optimizers(model))
    return {name: p.detach() for name, p in model.named_parameters()}


def test_two_ranks_make_the_weights_step_of_one_with_the_wholekshot_batch() -> None:
    """With BN in eval mode, because each rank otherwise has its own statistics."""
    model = build_kshot(CELLS).eval()
    model.train_step(kshot_batch(8), kshot_optimizers(model))
    parts = run_ranks(_mean_step_on_rank, 2)
    for key, value in model.named_parameters():
        if not key.startswith('simplex_net.'):
            torch.testing.assert_close(parts[0][key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_one_shot_weights_are_copied_with_a_little_noise(tmp_path: Path, mmrel_scope: None) -> None:
    one = build_kshot(MOBILE, k=1)
    one.train_step(kshot_batch(), kshot_optimizers(one))
    file = tmp_path / 'one.pth'
    torch.save(dict(state_dict=one.state_dict()), file)
    init = dict(type='OneShotInit', checkpoint=str(file), noise=0.01)
    first, again = build_kshot(MOBILE, init_cfg=init), build_kshot(MOBILE, init_cfg=init)
    torch.manual_seed(5)
    first.init_weights()
    torch.manual_seed(6)
    again.init_weights()
    given = dict(one.named_parameters())
    for key, value in first.named_parameters():
        if key.startswith('simplex_net.'):
            continue
        assert torch.equal(value, again.get_parameter(key)), key
        difference = value - given[key]
        scale = given[key].square().mean().sqrt()
        assert difference.abs().max() <= 0.06 * scale
        if scale > 0:
            assert not torch.equal(value[0], value[1])
    assert torch.equal(first.backbone.stem_norm.running_mean, one.backbone.stem_norm.running_mean)
    assert first.steps == 0
    exact = build_kshot(MOBILE, init_cfg=dict(init, noise=0.0)).eval()
    exact.init_weights()
    images, path = kshot_batch()['inputs'], exact.space.largest()
    torch.testing.assert_close(
        exact.path_logits(images, path), one.eval().path_logits(images, path)
    )
    torch.save(dict(state_dict=first.state_dict()), file)
    with pytest.raises(RuntimeError, match='not a K = 1 supernet'):
        build_kshot(MOBILE, init_cfg=init).init_weights()


def test_the_interval_of_the_simplex_net() -> None:
    model = build_kshot(CELLS, simplex=dict(interval=3))
    optimisers = kshot_optimizers(model)
    moved = ['loss_simplex' in model.train_step(kshot_batch(), optimisers) for _ in range(7)]
    assert moved == [False, False, True, False, False, True, False]


def test_fair_steps_take_every_option_once_in_a_round() -> None:
    """Both kinds of steps, with an interval: 5 operations in 5 weight steps."""
    model = build_kshot(CELLS, sampling='fair', simplex=dict(interval=2, parts=5))
    drawn: dict[int, list] = {0: [], 1: []}
    for step in range(20):
        model.steps = step
        drawn[0].append(model._draw(1, 0))
        if (step + 1) % 2 == 0:
            drawn[1].append(model._draw(5, 1))
    for rows in drawn.values():
        rounds = np.concatenate(rows).reshape(-1, 5, 6)
        assert (np.sort(rounds, axis=1) == np.arange(5)[:, None]).all()
        assert len({turn.tobytes() for turn in rounds}) == len(rounds)


@pytest.mark.parametrize('source', ['uniform', 'random'])
def test_controls_have_fixed_codes_and_no_simplex_net(source: str, mmrel_scope: None) -> None:
    model = build_kshot(CELLS, simplex=dict(code_source=source))
    optimizers = kshot_optimizers(model)
    assert list(optimizers.keys()) == ['weights']
    indices = model.space.sample_indices(300, np.random.default_rng(0))
    with at_iteration(0, 10, 5):
        log = model.train_step(kshot_batch(), optimizers)
    assert 'loss_simplex' not in log
    codes = model.codes(indices)
    torch.testing.assert_close(codes.sum(1), torch.ones(300))
    assert torch.equal(codes, model.codes(indices))
    if source == 'uniform':
        assert (codes == 1 / 3).all()
        return
    # Uniform on the simplex: the standard deviation of a share is sqrt(2 / 36) for K = 3.
    assert codes.std(0).tolist() == pytest.approx([(2 / 36) ** 0.5] * 3, abs=0.03)
    # What a path does not use does not change its code.
    canonical = model.space.canonical(indices)
    assert (canonical != indices).any()
    assert torch.equal(model.codes(canonical), codes)


@SPACES
def test_a_split_is_a_supernet_for_each_option(
    parts: dict, tmp_path: Path, mmrel_scope: None
) -> None:
    """Each dictionary trains as a supernet with K = 1 that gets the paths of its options."""
    start, file = build_kshot(parts, k=1), tmp_path / 'one.pth'
    torch.save(dict(state_dict=start.state_dict()), file)
    init = dict(type='OneShotInit', checkpoint=str(file), noise=0.0)
    column, choice = next(
        (i, name)
        for i, name in enumerate(start.space.choices)
        if len(start.space.choices[name]) > 3
    )
    split = dict(code_source='split', split=choice)
    models = [build_kshot(parts, k=k, simplex=split, init_cfg=init) for k in (3, 1, 1, 1)]
    optimizers = [kshot_optimizers(model, weight_decay=0) for model in models]
    for model, own in zip(models, optimizers, strict=True):
        model.init_weights()
        for group in own['weights'].param_groups:
            group['momentum'] = 0  # a dictionary's momentum also runs while another one trains
    many, *single = models
    seen = set()
    for step in range(10):
        option = int(many.space.canonical(many._draw(1, 0))[0, column])
        alone = 1 + option % 3
        models[alone].steps = step
        losses = [
            models[i].train_step(kshot_batch(seed=step), optimizers[i])['loss'] for i in (0, alone)
        ]
        torch.testing.assert_close(*losses)
        seen.add(alone)
    assert seen == {1, 2, 3}
    for name, values in many.named_parameters():
        expected = torch.stack([model.get_parameter(name)[0] for model in single])
        torch.testing.assert_close(values, expected)


def _simplex(**settings: object) -> dict:
    return dict(simplex=settings)


@pytest.mark.parametrize(
    ('parts', 'change', 'message'),
    [
        (CELLS, dict(sampling='strict'), "model.sampling='strict' must be 'uniform' or 'fair'"),
        (CELLS, _simplex(code_source='none'), r"simplex\.code_source='none' must be one of"),
        (CELLS, _simplex(net=dict(sharpness=0)), r'simplex_net\.sharpness=0 must be positive'),
        (CELLS, _simplex(part=2), r'model\.simplex\.part is not a setting: .* takes net, parts, '),
        (CELLS, dict(k=0), 'model.k=0'),
        (CELLS, _simplex(parts=0), r'model\.simplex\.parts=0'),
        (CELLS, _simplex(interval=0), r'model\.simplex\.interval=0'),
        (CELLS, _simplex(run_paths=0), r'model\.simplex\.run_paths=0'),
        (CELLS, _simplex(run_paths=2.5), r'model\.simplex\.run_paths=2.5 must be a whole number'),
        (CELLS, _simplex(code_source='split'), r'split=None goes with .*code_source='),
        (CELLS, _simplex(split='edge_0_3'), r"split='edge_0_3' goes with .*'split', not 'simplex_"),
        (CELLS, _simplex(code_source='split', split='edge'), r"split='edge' must be one of edge_0"),
        (CELLS, dict(warmup=dict(epochs=-1)), 'model.warmup.epochs=-1'),
        (CELLS, _simplex(regularizer=dict(type='WidthSimilarityLoss')), 'no width choices'),
        (CELLS, dict(val_path=dict(edge_0_1='none')), "model.val_path .* lacks 'edge_0_2'"),
    ],
)
def test_config_errors_come_when_the_model_is_built(
    parts: dict, change: dict, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        build_kshot(parts, **change)


def test_the_former_key_of_the_warm_up_works() -> None:
    assert build_kshot(CELLS, warmup=dict(iters=3), warmup_epochs=2).warmup.epochs == 2


def test_the_former_keys_of_the_simplex_work() -> None:
    """Over those of a base config, as --cfg-options and a child config set them."""
    loss = dict(type='WidthSimilarityLoss')
    model = build_kshot(
        MOBILE, simplex=dict(parts=4, interval=3, net=dict(hidden_channels=7, sharpness=2.0)),
        parts=5, simplex_interval=2, simplex_net=dict(hidden_channels=9), regulariser=loss,
    )  # fmt: skip
    assert (model.parts, model.interval) == (5, 2)
    assert model.simplex_net.out.weight.shape == (3, 9)
    assert type(model.regularizer).__name__ == 'WidthSimilarityLoss'
    former = build_kshot(MOBILE, regularizer=loss).regularizer
    assert type(former).__name__ == 'WidthSimilarityLoss'
    assert build_kshot(CELLS, code_source='uniform').simplex_net is None


def test_a_batch_that_is_too_small_and_a_single_optimiser_are_refused() -> None:
    model = build_kshot(CELLS, simplex=dict(parts=9))
    with pytest.raises(
        ValueError, match=r'a batch of 8 cannot be split into model\.simplex\.parts=9'
    ):
        model.train_step(kshot_batch(), kshot_optimizers(model))
    fewer = build_kshot(CELLS, simplex=dict(parts=9, run_paths=8), warmup=None)
    fewer.train_step(kshot_batch(), kshot_optimizers(fewer))
    fewer = build_kshot(CELLS, simplex=dict(parts=16, run_paths=9))
    with pytest.raises(ValueError, match=r'a batch of 8 .* model\.simplex\.run_paths=9 parts'):
        fewer.train_step(kshot_batch(), kshot_optimizers(fewer))
    # At the first step, not when the warm-up is over.
    late = build_kshot(CELLS, simplex=dict(parts=9), warmup=dict(epochs=3))
    never = build_kshot(CELLS, warmup=dict(epochs=5))
    with at_iteration(0, 10, 5):
        with pytest.raises(
            ValueError, match=r'a batch of 8 cannot be split into model\.simplex\.parts=9'
        ):
            late.train_step(kshot_batch(), kshot_optimizers(late))
        with pytest.raises(ValueError, match=r'warmup\.epochs=5 is not shorter than the run of 5'):
            never.train_step(kshot_batch(), kshot_optimizers(never))
    with pytest.raises(TypeError, match='KShotOptimWrapperConstructor'):
        model.train_step(kshot_batch(), kshot_optimizers(model)['weights'])
    with pytest.raises(KeyError, match=r'simplex_net\.optimizer'):
        KShotOptimWrapperConstructor(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1)))
