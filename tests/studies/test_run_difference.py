"""Runs that are equal, and what is said of those that are not."""

import json
import math
from pathlib import Path

import pytest
import torch

from mmrel.studies.run_difference import differences, search_difference, training_difference


def _training(folder: Path, *, val: list = (2, 4), loss: float = 1.0, weight: float = 1.0) -> Path:
    log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict(loss=loss, iter=i, epoch=i, step=i, time=hash(str(folder))) for i in range(1, 5)]
    lines += [dict(score=10.0 * step, step=step) for step in val]
    log.write_text('\n'.join(map(json.dumps, lines)))
    content = dict(
        meta=dict(epoch=4, iter=12, time=str(folder)),
        state_dict=dict(weight=torch.full((2,), weight)),
        optimizer=dict(state={0: dict(momentum_buffer=torch.ones(2))}),
        param_schedulers=[dict(last_step=4)],
    )
    torch.save(content, folder / 'epoch_4.pth')
    return folder


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({}, None),
        (dict(val=[2]), 'validation records of steps 2, not 2, 4'),
        (dict(val=[2, 2, 4]), 'validation records of steps 2, 2, 4, not 2, 4'),
        (dict(loss=1.0 + 1e-12), 'loss records: [0].loss: 1.000000000001, not 1.0'),
        (dict(weight=1.5), 'epoch_4.pth: state_dict.weight: differs by up to 0.5'),
    ],
)
def test_trainings(tmp_path: Path, change: dict, message: str | None) -> None:
    ours, theirs = _training(tmp_path / 'a', **change), _training(tmp_path / 'b')
    assert training_difference(ours, theirs) == message


def test_a_checkpoint_is_missing(tmp_path: Path) -> None:
    ours, theirs = _training(tmp_path / 'a'), _training(tmp_path / 'b')
    (ours / 'epoch_4.pth').unlink()
    assert training_difference(ours, theirs) == 'epoch_4.pth is missing'


def test_searches(tmp_path: Path) -> None:
    for name, score in (('a', 50.0), ('b', 51.0)):
        folder = tmp_path / name
        folder.mkdir()
        rows = [dict(slot=0, score=score, path=dict(width=8))]
        (folder / 'paths.jsonl').write_text(json.dumps(rows[0]) + '\n')
        for file in ('top.json', 'best_path.json', 'pareto.json'):
            (folder / file).write_text(json.dumps(rows))
    assert search_difference(tmp_path / 'a', tmp_path / 'a') is None
    difference = search_difference(tmp_path / 'a', tmp_path / 'b')
    assert difference == 'paths.jsonl: [0].score: 50.0, not 51.0'
    (tmp_path / 'a' / 'top.json').unlink()
    (tmp_path / 'b' / 'paths.jsonl').write_text((tmp_path / 'a' / 'paths.jsonl').read_text())
    assert search_difference(tmp_path / 'a', tmp_path / 'b') == 'top.json is missing'


@pytest.mark.parametrize(
    ('ours', 'theirs', 'expected'),
    [
        (dict(a=[1, 2]), dict(a=[1, 2]), []),
        (math.nan, math.nan, []),
        (torch.tensor([math.nan, 1]), torch.tensor([math.nan, 1]), []),
        (torch.zeros(2), torch.zeros(3), [': shape (2,), not (3,)']),
        (dict(a=1), dict(b=1), ['only one run has a, b']),
        ([1], [1, 2], ['1 entries, not 2']),
        (dict(a=dict(b=[0, 1])), dict(a=dict(b=[0, 2])), ['a.b[1]: 1, not 2']),
    ],
)
def test_differences(ours: object, theirs: object, expected: list[str]) -> None:
    assert list(differences(ours, theirs)) == expected
