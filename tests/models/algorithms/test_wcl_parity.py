"""WCL reproduces the values of the authors' program."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from mmrel.converters import convert_key
from mmrel.engine import LARS, AnyDeviceDataParallel
from mmrel.registry import MODELS
from tests import parity
from tests.distributed import run_ranks


def _build(case: dict) -> torch.nn.Module:
    """The authors' network with its initial weights, under our names."""
    hidden = case['keys']['module.head1.linear1.weight'][0]
    dim = case['keys']['module.head1.linear3.weight'][0]
    model = MODELS.build(
        dict(
            type='WCL',
            backbone=dict(type='ResNet', depth=50),
            neck=dict(
                type='MLPNeck',
                num_layers=3,
                hidden_channels=hidden,
                out_channels=dim,
                norm_cfg=dict(type='BN1d'),
            ),
            head=dict(type='InstanceContrastHead', temperature=case['temperature']),
            graph_head=dict(type='WeakLabelContrastHead', temperature=case['temperature']),
        )
    ).double()
    state = {
        convert_key('wcl', key): torch.as_tensor(parity.weight(case['seed'], key, tuple(shape)))
        for key, shape in case['keys'].items()
    }
    model.load_state_dict(state)
    return model.train()


def _optimizer(model: torch.nn.Module, case: dict) -> LARS:
    # By official name, as the authors' program does it: 'downsample.1.weight'
    # is a BN weight, but its name does not say so.
    official = {convert_key('wcl', k): k for k in case['keys']}
    groups: dict[bool, list] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        groups['bn' in official[name] or 'bias' in official[name]].append(parameter)
    return LARS(
        [
            dict(params=groups[False]),
            dict(params=groups[True], weight_decay=0.0, lars_exclude=True),
        ],
        lr=case['lr'],
        momentum=case['sgd_momentum'],
        weight_decay=case['weight_decay'],
        eta=case['trust_coef'],
        eps=case['lars_eps'],
    )


def _views(case: dict, prefix: str, batch: int) -> list[torch.Tensor]:
    return [
        torch.from_numpy(
            parity.gaussian(
                case['seed'], f'{prefix}/view{i}', (batch, 3, case['size'], case['size'])
            )
        ).double()
        for i in (0, 1)
    ]


def _logits(own: torch.Tensor, others: list[torch.Tensor], t: float) -> torch.Tensor:
    """In the order of the cases: own views first, each row without itself, (2b, 2B - 1)."""
    rows = own.flatten(0, 1)
    columns = torch.cat([rows, *(part[v] for v in (0, 1) for part in others)])
    keep = ~torch.eye(len(rows), len(columns), dtype=torch.bool)
    return (rows @ columns.T / t)[keep].view(len(rows), -1)


def _watch(model: torch.nn.Module) -> dict:
    """The instance head's inputs and the graph head's outputs, filled in by a forward."""
    seen = {}
    model.head.register_forward_pre_hook(lambda _, args: seen.update(views=args[0].detach()))
    model.graph_head.register_forward_hook(lambda _, __, out: seen.update(labels=out[1]))
    return seen


def _renumbered(labels: list[int]) -> list[int]:
    """Numbers in the order of their first appearance."""
    return [list(dict.fromkeys(labels)).index(label) for label in labels]


@pytest.mark.parametrize('path', parity.cases({'wcl'}), ids=lambda p: p.stem)
def test_parity_wcl(path: Path) -> None:
    case = json.loads(path.read_text())
    model = _build(case)
    optimizer = _optimizer(model, case)
    seen = _watch(model)
    for step, expected in enumerate(case['steps']):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        losses = model(_views(case, f'step{step}', case['batch']), mode='loss')
        assert losses['loss_instance'].item() == pytest.approx(expected['ce'], rel=1e-7)
        assert losses['loss_graph'].item() == pytest.approx(expected['graph'], rel=1e-7)
        logits = _logits(seen['views'], [], case['temperature'])
        parity.assert_digest(logits, expected['logits'], f'step {step} logits')
        ce = F.cross_entropy(logits, torch.tensor(expected['labels'])).item()
        assert ce == pytest.approx(losses['loss_instance'].item(), rel=1e-12)
        for view, labels in enumerate(seen['labels'].tolist()):
            official = expected[f'weak_labels_view{view}']
            assert _renumbered(labels) == _renumbered(official), f'step {step} view {view}'
        optimizer.zero_grad()
        sum(losses.values()).backward()
        parameters = dict(model.named_parameters())
        for key, digest in expected['grads'].items():
            grad = parameters[convert_key('wcl', key)].grad
            parity.assert_digest(grad, digest, f'step {step} gradient of {key}')
        optimizer.step()
        after = model.state_dict()
        for key, digest in expected['change'].items():
            ours = convert_key('wcl', key)
            change = after[ours] - before[ours]
            parity.assert_digest(change, digest, f'step {step} change of {key}')


def _on_rank(rank: int, path: str) -> dict:
    case = json.loads(Path(path).read_text())
    model = _build(case)
    seen = _watch(model)
    wrapped = AnyDeviceDataParallel(model)
    losses = wrapped(_views(case, f'rank{rank}', case['batch_per_rank']), mode='loss')
    sum(losses.values()).backward()
    parameters = dict(model.named_parameters())
    return dict(
        losses={k: v.detach() for k, v in losses.items()},
        grads={key: parameters[convert_key('wcl', key)].grad for key in case['mean_grads']},
        **seen,
    )


@pytest.mark.parametrize('path', parity.cases({'wcl_two_ranks'}), ids=lambda p: p.stem)
def test_parity_wcl_two_ranks(path: Path) -> None:
    case = json.loads(path.read_text())
    parts = run_ranks(_on_rank, len(case['ranks']), str(path))
    for rank, (part, expected) in enumerate(zip(parts, case['ranks'], strict=True)):
        assert part['losses']['loss_instance'].item() == pytest.approx(expected['ce'], rel=1e-7)
        assert part['losses']['loss_graph'].item() == pytest.approx(expected['graph'], rel=1e-7)
        others = [p['views'] for r, p in enumerate(parts) if r != rank]
        logits = _logits(part['views'], others, case['temperature'])
        parity.assert_digest(logits, expected['logits'], f'rank {rank} logits')
        torch.testing.assert_close(part['labels'], parts[0]['labels'], rtol=0, atol=0)
        for key, digest in case['mean_grads'].items():
            parity.assert_digest(part['grads'][key], digest, f'rank {rank} gradient of {key}')


def test_cases_are_there() -> None:
    kinds = {json.loads(p.read_text())['kind'] for p in parity.cases({'wcl', 'wcl_two_ranks'})}
    assert kinds == {'wcl', 'wcl_two_ranks'}, f'{parity.CASES} lacks a kind of WCL case'
