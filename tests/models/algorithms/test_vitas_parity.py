"""Costs and logits of networks and supernet paths, compared with the authors' programs."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mmrel.converters import convert_checkpoint
from mmrel.registry import MODELS
from tests import parity
from tests.vitas import case_path, case_space, supernet_path

TOLERANCE = 1e-5


def _load(model: nn.Module, case: dict) -> nn.Module:
    """The case's weights, through the converter, strictly."""
    state = {
        key: torch.from_numpy(parity.weight(case['seed'], key, tuple(shape)))
        for key, shape in case['keys'].items()
    }
    converted = convert_checkpoint('vitas', dict(model=state, epoch=3))
    assert converted['meta']['official_epoch'] == 3
    model.load_state_dict(converted['state_dict'])
    return model.eval()


def _image(case: dict, size: int) -> torch.Tensor:
    shape = (case['batch'], 3, size, size)
    return torch.from_numpy(parity.gaussian(case['seed'], 'image', shape))


def _assert_logits(logits: torch.Tensor, expected: dict, what: str) -> None:
    parity.assert_digest(logits, expected['logits'], what, TOLERANCE)
    row = torch.tensor(expected['logits_row0'])
    error = (logits[0, : len(row)] - row).abs().max()
    assert error <= TOLERANCE * logits.square().mean().sqrt(), f'{what}: row 0'


@pytest.mark.parametrize('file', parity.cases({'vitas'}), ids=lambda p: p.stem)
@torch.no_grad()
def test_searched_network(file: Path, mmrel_scope: None) -> None:
    case = json.loads(file.read_text())
    space = case_space(case)
    path = case_path(space, case)
    indices = space.indices([path])
    assert space.flops(indices).tolist() == [case['flops']]
    assert space.parameters(indices).tolist() == [case['params']]
    model = _load(MODELS.build(space.subnet(path)), case)
    assert sum(p.numel() for p in model.parameters()) == case['params']
    _assert_logits(model(_image(case, space.image_size)), case, file.stem)


@pytest.mark.parametrize('file', parity.cases({'vitas_supernet'}), ids=lambda p: p.stem)
@torch.no_grad()
def test_supernet(file: Path, mmrel_scope: None) -> None:
    case = json.loads(file.read_text())
    space = case_space(case)
    paths = [supernet_path(space, entry) for entry in case['flops']]
    expected = [entry['flops'] for entry in case['flops']]
    assert space.flops(space.indices(paths)).tolist() == expected
    model = MODELS.build(
        dict(
            type='ViTAS',
            space=space,
            backbone=dict(type='ViTASSupernet'),
            head=dict(type='SlicedLinearClsHead'),
        )
    )
    _load(model, case)
    image = _image(case, space.image_size)
    sides = {'left': 0, 'right': 1}
    logits = {}
    for i, entry in enumerate(case['forward']):
        path = supernet_path(space, entry)
        key = json.dumps(path)
        if key not in logits:
            logits[key] = model.path_logits(image, path)
        _assert_logits(logits[key][sides[entry['side']]], entry, f'forward {i}, {entry["side"]}')


def test_cases_are_there() -> None:
    networks = [json.loads(p.read_text()) for p in parity.cases({'vitas'})]
    assert {'net_id' in case['model'] for case in networks} == {True, False}
    supernets = [json.loads(p.read_text()) for p in parity.cases({'vitas_supernet'})]
    assert {entry['side'] for case in supernets for entry in case['forward']} == {'left', 'right'}
    assert all(case['flops'] for case in supernets)
