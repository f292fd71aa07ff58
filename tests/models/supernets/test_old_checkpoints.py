"""Checkpoints of supernets that were written before they ran their stand-alone networks."""

from pathlib import Path

import pytest
import torch

from mmrel.registry import MODELS

# K-shot supernets of both spaces (K = 2) and a ViTAS one, written by version 0.2.0.dev0 when each
# supernet had a forward of its own: state dicts, random inputs, paths, their logits, and the sums
# of the weights cut out for them.
FILE = Path(__file__).parents[2] / 'data/checkpoints/supernets_0.2.0.dev0.pt'


@pytest.mark.parametrize('name', ['mobile', 'cells', 'vitas'])
@torch.no_grad()
def test_an_old_checkpoint_gives_its_outputs(name: str, mmrel_scope: None) -> None:
    case = torch.load(FILE, weights_only=True)[name]
    if name == 'cells':  # then the only form
        case['model']['space']['shortcut_norm'] = True
    model = MODELS.build(case['model']).eval()  # its backbone has the type of that time
    model.load_state_dict(case['state_dict'])
    assert len(case['paths']) == 3
    for path, expected, sums in zip(case['paths'], case['logits'], case['sums'], strict=True):
        torch.testing.assert_close(model.path_logits(case['inputs'], path), expected)
        state = model.subnet_state_dict(path)
        assert state.keys() == sums.keys()
        for key, value in state.items():
            torch.testing.assert_close(value.sum(), sums[key])
