"""NAS-Bench-Macro's closed forms, against its table and against built networks."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmrel.registry import MODELS
from mmrel.spaces import NASBenchMacroSpace

SMALL = dict(channels=(6, 10), layers=(2, 1), stem_channels=4, last_channels=12, num_classes=3)


def test_flops_and_parameters_of_the_table_are_exact(tables: Path) -> None:
    with (tables / 'nas_bench_macro_cifar10.csv').open() as file:
        rows = list(csv.DictReader(file))
    indices = np.array([[int(digit) for digit in row['architecture']] for row in rows])
    space = NASBenchMacroSpace()
    assert len(rows) >= 60
    assert space.flops(indices).tolist() == [int(row['flops']) for row in rows]
    assert space.parameters(indices).tolist() == [int(row['params']) for row in rows]


@pytest.mark.parametrize('size', [16, 13])
def test_the_closed_forms_are_those_of_built_networks(size: int, mmrel_scope: None) -> None:
    space = NASBenchMacroSpace(input_size=size, **SMALL)
    assert space.size == 27
    indices = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=1)
    flops, parameters = [], []
    for path in space.paths(indices):
        network = MODELS.build(space.subnet(path)).eval()
        counted: list[int] = []
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(
                    lambda layer, _, y, counted=counted: counted.append(
                        layer.weight.numel()
                        * (y.shape[2] * y.shape[3] if isinstance(layer, nn.Conv2d) else 1)
                    )
                )
        with torch.no_grad():
            network.head.fc(network.neck(network.backbone(torch.zeros(1, 3, size, size)))[-1])
        flops.append(sum(counted))
        parameters.append(sum(p.numel() for p in network.parameters()))
    assert space.flops(indices).tolist() == flops
    assert space.parameters(indices).tolist() == parameters


def test_a_layer_s_block_is_part_of_its_name() -> None:
    space = NASBenchMacroSpace(**SMALL)
    path = dict(layer0='skip', layer1='mb3_k3', layer2='mb6_k5')
    assert space.shared_key(path, 'layers.1.expand_conv.conv') == 'layers.1.mb3_k3.expand_conv.conv'
    assert space.shared_key(path, 'stem') == 'stem'


def test_identities_of_a_stage_may_be_anywhere(mmrel_scope: None) -> None:
    """Equal keys: the same network, whose weights only have other names."""
    space = NASBenchMacroSpace(**{**SMALL, 'layers': (1, 3)})
    texts = [''.join(map(str, np.unravel_index(i, (3,) * 4))) for i in range(81)]
    groups: dict[str, list[str]] = {}
    for text in texts:
        path = space.architecture(text)
        assert space.architecture_text(path) == text
        groups.setdefault(space.function_key(path), []).append(text)
    assert len(groups) == 3 * 3 * 7
    assert groups['1-21'] == ['1201', '1210']
    x = torch.randn(2, 3, 16, 16)
    for group in (['1201', '1210'], ['0002', '0020']):
        networks = [MODELS.build(space.subnet(space.architecture(t))).eval() for t in group]
        values = list(networks[0].state_dict().values())
        state = dict(zip(networks[1].state_dict(), values, strict=True))
        networks[1].load_state_dict(state)
        with torch.no_grad():
            torch.testing.assert_close(*(network.extract_feat(x) for network in networks))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(channels=(8,)), r'channels=\[8\] and space\.layers=\[2, 1\] must have one entry'),
        (dict(layers=(2, 0)), r'space\.layers=0 must be at least 1'),
        (dict(input_size=0), r'space\.input_size=0 must be at least 1'),
    ],
)
def test_wrong_sizes_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NASBenchMacroSpace(**{**SMALL, **change})
