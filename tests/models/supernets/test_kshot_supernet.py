"""The K-shot supernet: a path is its stand-alone network with mixed weights."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmrel.models.supernets import KShotSupernet
from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import CodedSpace, NASBench201Space
from tests.commands import environment
from tests.kshot import CELL_SPACE, MACRO_SPACE, MOBILE_SPACE
from tests.vitas import small_space

K = 3


def _mobile() -> CodedSpace:
    return SEARCH_SPACES.build(MOBILE_SPACE)


def _cells() -> CodedSpace:
    return SEARCH_SPACES.build(CELL_SPACE)


def _macro() -> CodedSpace:
    return SEARCH_SPACES.build(MACRO_SPACE)


SPACES = pytest.mark.parametrize(
    'space', [_mobile(), _cells(), _macro()], ids=['mobile', 'cells', 'macro']
)


def _supernet(space: CodedSpace) -> KShotSupernet:
    torch.manual_seed(0)
    net = KShotSupernet(space, K).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def _code(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(K, dtype=torch.float64, generator=generator).softmax(0)


def _images(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 3, 16, 16, dtype=torch.float64, generator=generator)


def _alone(net: KShotSupernet, path: dict, code: Tensor) -> tuple[nn.Module, dict[str, tuple]]:
    """The stand-alone network with weights summed by hand, and where they are from."""
    network = MODELS.build(net.space.subnet(path)['backbone']).double()
    own, sources = {**dict(net.named_parameters()), **dict(net.named_buffers())}, {}
    with torch.no_grad():
        for key, value in network.state_dict().items():
            layer, _, leaf = key.rpartition('.')
            name = f'{net.space.shared_key(path, layer)}.{leaf}'
            part = tuple(slice(n) for n in value.shape)
            sources[key] = name, part
            if 'running' in leaf or 'tracked' in leaf:
                value.copy_(own[name][part])
            else:
                value.copy_(sum(c * theta[part] for c, theta in zip(code, own[name], strict=True)))
    return network, sources


@SPACES
def test_paths_mixed_together_are_those_mixed_alone(space: CodedSpace) -> None:
    """Values, and the gradients of the codes and of the K weights."""
    net = _supernet(space)
    indices = space.sample_indices(5, np.random.default_rng(0))
    paths = [*space.paths(indices), space.largest(), space.largest()]
    codes = torch.stack([_code(seed) for seed in range(len(paths))]).requires_grad_()
    together = net.tensors_of_paths(paths, codes)
    alone = [
        net.tensors(path, code, net.fresh_statistics(path))
        for path, code in zip(paths, codes, strict=True)
    ]
    torch.testing.assert_close(together, alone)
    wanted = [codes, *net.parameters()]
    gradients = []
    for tensors in (together, alone):
        total = sum(
            t.sin().sum() for network in tensors for t in network.values() if t.is_floating_point()
        )
        gradients.append(torch.autograd.grad(total, wanted, allow_unused=True))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    for ours, expected in zip(*gradients, strict=True):
        assert (ours is None) == (expected is None)
        if ours is not None:
            torch.testing.assert_close(ours, expected)


@SPACES
@pytest.mark.parametrize('seed', range(6))
def test_a_path_is_its_network_with_the_mixed_weights(
    space: CodedSpace, seed: int, mmrel_scope: None
) -> None:
    net, code = _supernet(space), _code(seed).requires_grad_()
    path = space.sample(np.random.default_rng(seed))
    network, sources = _alone(net, path, code)
    out, expected = net(_images(), path, code)[-1], network(_images())[-1]
    torch.testing.assert_close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    # d theta_k = code_k d theta; d code_k = <d theta, theta_k>; unused parts have no gradient.
    grads = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    to_code = torch.zeros(K, dtype=torch.float64)
    for key, parameter in network.named_parameters():
        name, part = sources[key]
        theta = net.get_parameter(name).detach()
        for k in range(K):
            grads[name][k][part] = code.detach()[k] * parameter.grad
            to_code[k] += (parameter.grad * theta[k][part]).sum()
    used = {sources[key][0] for key, _ in network.named_parameters()}
    for name, parameter in net.named_parameters():
        assert (parameter.grad is not None) == (name in used), name
        if name in used:
            torch.testing.assert_close(parameter.grad, grads[name])
    torch.testing.assert_close(code.grad, to_code)
    # Training updated the running statistics of the path, in place.
    for key, buffer in network.named_buffers():
        name, part = sources[key]
        torch.testing.assert_close(net.get_buffer(name)[part], buffer)
    # And the other mode.
    with torch.no_grad():
        torch.testing.assert_close(
            net.eval()(_images(1), path, code)[-1], network.eval()(_images(1))[-1]
        )


@SPACES
def test_norms_without_scale_and_shift_run_as_ones_that_have_1_and_0(
    space: CodedSpace, mmrel_scope: None
) -> None:
    norm_cfg = dict(type='BN', affine=False)
    net = KShotSupernet(space, K, norm_cfg=norm_cfg).double().eval()
    assert net.backbone_config(space.largest())['norm_cfg'] == norm_cfg
    code, path = _code(0), space.sample(np.random.default_rng(0))
    network = MODELS.build(space.subnet(path)['backbone']).double().eval()
    network.load_state_dict(net.subnet_state_dict(path, code))  # a network with both
    with torch.no_grad():
        torch.testing.assert_close(net(_images(), path, code)[-1], network(_images())[-1])
    assert len(list(net.parameters())) < len(list(KShotSupernet(space, K).parameters()))


@SPACES
def test_calibrated_statistics_are_averages_over_the_batches(
    space: CodedSpace, mmrel_scope: None
) -> None:
    net, code = _supernet(space).eval(), _code(0)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    path = space.largest()
    network, _ = _alone(net, path, code)
    for module in network.train().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    batches = [_images(seed) * (1 + seed) for seed in range(3)]
    with torch.no_grad():
        for batch in batches:
            network(batch)
    statistics = net.calibrate(path, code, batches)
    expected = dict(network.named_buffers())
    assert statistics.keys() == expected.keys()
    for key, value in statistics.items():
        torch.testing.assert_close(value, expected[key])
    with torch.no_grad():
        out = net(batches[0], path, code, statistics)[-1]
        torch.testing.assert_close(out, network.eval()(batches[0])[-1])
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    # The norms of the shared skeleton are as before.
    norms = [m for m in net.skeleton(path).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.momentum, norm.training) for norm in norms} == {(0.1, False)}
    with pytest.raises(ValueError, match='at least one batch'):
        net.calibrate(path, code, [])


def test_statistics_of_another_path_are_refused(mmrel_scope: None) -> None:
    space = _cells()
    net = KShotSupernet(space, K)
    few = dict(space.largest(), edge_0_1='skip')
    statistics = net.fresh_statistics(few)
    with pytest.raises(KeyError, match='from another path'):
        net.tensors(space.largest(), torch.ones(K), statistics)


@SPACES
@torch.no_grad()
def test_a_path_leaves_nothing_behind(space: CodedSpace, mmrel_scope: None) -> None:
    net = _supernet(space).eval()
    keys = list(net.state_dict())
    paths = [space.sample(np.random.default_rng(seed)) for seed in range(5)]
    alone = [copy.deepcopy(net)(_images(), path, _code(i))[-1] for i, path in enumerate(paths)]
    for _ in range(2):
        for i, path in enumerate(paths):
            assert torch.equal(net(_images(), path, _code(i))[-1], alone[i])
    assert list(net.state_dict()) == keys
    assert not any(parameter.is_meta for parameter in net.parameters())


@torch.no_grad()
def test_weights_are_neither_cut_nor_copied_at_full_width() -> None:
    net = KShotSupernet(_cells(), 1)
    tensors = net.tensors(net.space.largest(), torch.ones(1))
    assert tensors['stem.weight'].data_ptr() == net.get_parameter('stem.weight').data_ptr()


def test_a_name_for_layers_of_two_shapes_is_refused() -> None:
    class Mixed(NASBench201Space):
        def shared_key(self, path: dict, layer: str) -> str:
            return layer

    with pytest.raises(ValueError, match=r"shared_key gives the name 'stages\.0\.0\.edges"):
        KShotSupernet(Mixed(num_classes=3, channels=2, cells=1), K)


def test_a_space_without_codes_is_refused() -> None:
    with pytest.raises(TypeError, match=r'ViTASSpace has no codes'):
        KShotSupernet(small_space(), K)


@pytest.mark.parametrize('old', ['KShotCellNetwork', 'KShotMobileNetV2SE'])
def test_former_names_still_work_with_a_message(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    monkeypatch.setattr('mmrel.models.supernets.kshot.print_log', lambda m, **_: lines.append(m))
    net = MODELS.build(dict(type=old, space=_cells(), k=2))
    assert type(net) is KShotSupernet
    assert f"'{old}' is now 'KShotSupernet'" in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize(('own', 'kept'), [(None, True), ('ONEDNN', False), ('DNNL', False)])
def test_onednn_keeps_the_convolutions_of_many_shapes(own: str | None, kept: bool) -> None:
    """Random paths need more than the 1,024 that it keeps by default. A user's value stays."""
    script = (
        'import torch\n'
        'from tests.models.supernets.test_kshot_supernet import _cells, _supernet\n'
        '_supernet(_cells())\n'
        'torch.set_num_threads(2)\n'
        'def convolve():\n'
        '    for i in range(1100):\n'
        '        inputs = torch.zeros(2, 16 + i % 40, 16, 16)\n'
        '        torch.conv2d(inputs, torch.zeros(16 + i // 40, 16 + i % 40, 3, 3))\n'
        'convolve()\n'
        'with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON_CREATION):\n'
        '    convolve()\n'
    )
    environ = environment()
    for name in ('ONEDNN', 'DNNL'):
        environ.pop(f'{name}_PRIMITIVE_CACHE_CAPACITY', None)
    if own is not None:
        environ[f'{own}_PRIMITIVE_CACHE_CAPACITY'] = '1024'
    done = subprocess.run(
        [sys.executable, '-c', script], env=environ, capture_output=True, text=True, check=True
    )
    found = [line for line in done.stdout.splitlines() if ',convolution,' in line]
    missed = sum('cache_miss' in line for line in found)
    assert len(found) >= 1100
    assert (missed == 0) == kept, missed
