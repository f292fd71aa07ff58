"""ReSSL reproduces the values of the authors' program, step by step."""

import json
from pathlib import Path

import pytest
import torch

from mmrel.converters import convert_key
from mmrel.registry import MODELS
from tests import parity


def _build(case: dict) -> torch.nn.Module:
    hidden = case['keys']['module.encoder_q.head.linear1.weight'][0]
    return MODELS.build(
        dict(
            type='ReSSL',
            backbone=dict(type='ResNet', depth=int(case['backbone'].removeprefix('resnet'))),
            neck=dict(type='MLPNeck', hidden_channels=hidden, out_channels=case['dim']),
            head=dict(
                type='RelationHead',
                student_temperature=case['t_student'],
                teacher_temperature=case['t_teacher'],
            ),
            memory=dict(type='FeatureQueue', size=case['K']),
            teacher=dict(momentum=case['momentum']),
        )
    ).double()


def _start_state(case: dict) -> dict[str, torch.Tensor]:
    """The official initial weights under our names; the teacher equals the student."""
    seed, state = case['seed'], {}
    for key, shape in case['keys'].items():
        if key.endswith('queue_ptr'):
            value = torch.zeros(shape, dtype=torch.long)
        elif key.endswith('queue'):
            value = torch.from_numpy(parity.unit_columns(seed, 'queue', tuple(shape)))
        else:
            source = key.replace('encoder_k', 'encoder_q')
            value = torch.as_tensor(parity.weight(seed, source, tuple(shape)))
        state[convert_key('ressl', key)] = value
    return state


def _optimizer(model: torch.nn.Module, case: dict) -> torch.optim.Optimizer:
    # By official name, as the authors' program does it: 'downsample.1.weight'
    # is a BN weight, but its name does not say so.
    official = {convert_key('ressl', k): k for k in case['keys']}
    groups: dict[bool, list] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups['bn' in official[name] or 'bias' in official[name]].append(parameter)
    return torch.optim.SGD(
        [
            dict(params=groups[False], weight_decay=case['weight_decay']),
            dict(params=groups[True], weight_decay=0.0),
        ],
        lr=case['lr'],
        momentum=case['sgd_momentum'],
    )


def _views(case: dict, step: int) -> list[torch.Tensor]:
    sizes = case['multi_sizes']
    names = [f'view{i}' for i in range(len(sizes))] if sizes else ['strong']
    views = [*zip(names, sizes or [case['size']], strict=True), ('weak', case['size'])]
    return [
        torch.from_numpy(
            parity.gaussian(case['seed'], f'step{step}/{name}', (case['batch'], 3, px, px))
        ).double()
        for name, px in views
    ]


@pytest.mark.parametrize('path', parity.cases({'ressl', 'ressl_multi'}), ids=lambda p: p.stem)
def test_parity_ressl(path: Path) -> None:
    case = json.loads(path.read_text())
    model = _build(case)
    model.load_state_dict(_start_state(case))
    optimizer = _optimizer(model, case)
    similarities: list[torch.Tensor] = []
    head_loss = model.head.loss

    def spy(student: torch.Tensor, teacher: torch.Tensor, positive: torch.Tensor) -> dict:
        similarities[:] = [student, teacher]
        return head_loss(student, teacher, positive)

    model.head.loss = spy
    for step, expected in enumerate(case['steps']):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        views = _views(case, step)
        loss = model(views, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        assert loss.item() == pytest.approx(expected['loss'], rel=1e-7)
        student, teacher = similarities
        parity.assert_digest(student, expected['logits_student'], f'step {step} student')
        # Official logits repeat the teacher's for each view.
        repeated = teacher.repeat(len(views) - 1, 1)
        parity.assert_digest(repeated, expected['logits_teacher'], f'step {step} teacher')
        parameters = dict(model.named_parameters())
        for key, digest in expected['grads'].items():
            grad = parameters[convert_key('ressl', key)].grad
            parity.assert_digest(grad, digest, f'step {step} gradient of {key}')
        optimizer.step()
        after = model.state_dict()
        parity.assert_digest(after['memory.queue'], expected['queue'], f'step {step} queue')
        assert after['memory.pointer'].item() == expected['queue_ptr']
        for key, digest in expected['change'].items():
            ours = convert_key('ressl', key)
            change = after[ours] - before[ours]
            parity.assert_digest(change, digest, f'step {step} change of {key}')


def test_cases_are_there() -> None:
    kinds = {json.loads(p.read_text())['kind'] for p in parity.cases({'ressl', 'ressl_multi'})}
    assert kinds == {'ressl', 'ressl_multi'}, f'{parity.CASES} lacks a kind of ReSSL case'
