"""SimMatch reproduces the values of the authors' program, step by step."""

import json
from pathlib import Path

import pytest
import torch
from mmpretrain.structures import DataSample

from mmrel.converters import convert_key
from mmrel.registry import MODELS
from tests import parity
from tests.progress import at_iteration


def _build(case: dict) -> torch.nn.Module:
    hidden = case['keys']['module.main.head.0.weight'][0]
    dim, size = case['keys']['module.bank']
    alignment = dict(type='DistributionAlignment', size=case['da_queue_len'])
    return MODELS.build(
        dict(
            type='SimMatch',
            backbone=dict(type='ResNet', depth=18),
            num_classes=case['classes'],
            head=dict(
                type='PseudoLabelHead', threshold=case['threshold'], loss_weight=case['lambda_u']
            ),
            neck=dict(type='MLPNeck', hidden_channels=hidden, out_channels=dim),
            instance_head=dict(
                type='SimilarityMatchingHead',
                student_temperature=case['t_student'],
                teacher_temperature=case['t_teacher'],
                alpha=case['c_smooth'],
                loss_weight=case['lambda_in'],
                warmup=dict(epochs=1),
            ),
            memory=dict(type='LabeledBank', size=size),
            alignment=alignment if case['distribution_alignment'] else None,
            teacher=dict(momentum=case['momentum'], average_buffers=case['eman']),
        )
    ).double()


def _start_state(case: dict) -> dict[str, torch.Tensor]:
    """The official initial weights under our names; the teacher equals the student."""
    seed, state = case['seed'], {}
    for key, shape in case['keys'].items():
        name = key.removeprefix('module.')
        if name == 'bank':
            value = torch.from_numpy(parity.unit_columns(seed, 'bank', tuple(shape)))
        elif name == 'labels':
            drawn = parity.integers(seed, 'bank_labels', tuple(shape), case['classes'])
            value = torch.from_numpy(drawn)
        elif name.startswith('DA_'):
            value = torch.zeros(shape, dtype=torch.long if name == 'DA_ptr' else torch.float64)
        else:
            source = key.replace('module.ema.', 'module.main.')
            value = torch.as_tensor(parity.weight(seed, source, tuple(shape)))
        state[convert_key('simmatch', key)] = value
    return state


def _batch(case: dict, step: int, index: list[int]) -> tuple[list[torch.Tensor], list[DataSample]]:
    labeled, unlabeled = case['batch_labeled'], case['batch_labeled'] * case['mu']
    views = [
        torch.from_numpy(
            parity.gaussian(
                case['seed'], f'step{step}/{name}', (number, 3, case['size'], case['size'])
            )
        ).double()
        for name, number in (('labeled', labeled), ('strong', unlabeled), ('weak', unlabeled))
    ]
    labels = parity.integers(case['seed'], f'step{step}/labels', (labeled,), case['classes'])
    samples = [
        DataSample(metainfo=dict(sample_idx=i)).set_gt_label(int(y))
        for i, y in zip(index, labels, strict=True)
    ]
    return views, samples + [DataSample() for _ in range(unlabeled)]


def _watch(model: torch.nn.Module) -> dict:
    """The semantic head's inputs and outputs, filled in by a forward."""
    seen = {}
    head_loss = model.head.loss

    def spy(labeled_logits: torch.Tensor, labels: torch.Tensor, *args) -> dict:
        logits, target, _ = args
        seen.update(logits=labeled_logits, target=target, mask=model.head(logits, target)[1])
        return head_loss(labeled_logits, labels, *args)

    model.head.loss = spy
    return seen


@pytest.mark.parametrize('path', parity.cases({'simmatch'}), ids=lambda p: p.stem)
def test_parity_simmatch(path: Path) -> None:
    case = json.loads(path.read_text())
    model = _build(case)
    model.load_state_dict(_start_state(case))
    model.train()
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=case['lr'],
        momentum=case['sgd_momentum'],
        nesterov=case['nesterov'],
        weight_decay=case['weight_decay'],
    )
    seen = _watch(model)
    for step, expected in enumerate(case['steps']):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        # In the first epoch the instance branch is off: an epoch of one step.
        first_epoch = not expected['instance_loss_active']
        with at_iteration(0 if first_epoch else step, len(case['steps']), len(case['steps'])):
            losses = model(*_batch(case, step, expected['index']), mode='loss')
        total = losses['loss_x'] + losses['loss_u'] + losses['loss_in']
        for value, official in (
            (total, expected['loss']),
            (losses['loss_x'], expected['loss_x']),
            (losses['loss_u'], case['lambda_u'] * expected['loss_u']),
            (losses['loss_in'], case['lambda_in'] * expected['loss_in']),
        ):
            assert value.item() == pytest.approx(official, rel=1e-7)
        parity.assert_digest(seen['target'], expected['pseudo_label'], f'step {step} pseudo-label')
        parity.assert_digest(seen['logits'], expected['logits_labeled'], f'step {step} logits')
        assert seen['mask'].tolist() == expected['mask']
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        after = model.state_dict()
        parity.assert_digest(after['memory.bank'], expected['bank'], f'step {step} bank')
        assert after['memory.labels'].tolist() == expected['bank_labels']
        if case['distribution_alignment']:
            buffer = after['alignment.queue'].sum(0)
            parity.assert_digest(buffer, expected['alignment_buffer_sum'], f'step {step} alignment')
            assert after['alignment.pointer'].item() == step + 1
        for key, digest in expected['change'].items():
            ours = convert_key('simmatch', key)
            change = after[ours] - before[ours]
            parity.assert_digest(change, digest, f'step {step} change of {key}')


def test_cases_are_there() -> None:
    cases = [json.loads(p.read_text()) for p in parity.cases({'simmatch'})]
    kinds = {(case['eman'], case['distribution_alignment']) for case in cases}
    assert kinds == {(False, True), (False, False), (True, True)}
