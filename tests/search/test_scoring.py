"""Scores of given paths: kept, and continued after an interruption."""

import json
from pathlib import Path

import pytest
import torch

from mmrel.search.scoring import ScorePathsLoop
from mmrel.utils.json_lines import format_rows, read_rows
from tests.search.toy_loop import slow_accuracy, toy_loader, toy_runner

# The width of the absent layer is not used: three networks.
PATHS = [
    dict(second='yes', width1=2, width2=5),
    dict(second='no', width1=5, width2=2),
    dict(second='yes', width1=5, width2=5),
    dict(second='no', width1=5, width2=5),
]


@pytest.fixture
def loop(tmp_path: Path) -> ScorePathsLoop:
    return _loop(tmp_path)


def _loop(folder: Path, **settings: object) -> ScorePathsLoop:
    (folder / 'paths.jsonl').write_text(format_rows(PATHS))
    files = dict(paths=str(folder / 'paths.jsonl'), out=str(folder / 'scores.jsonl'))
    return ScorePathsLoop(toy_runner(folder), toy_loader(), **files, **settings)


def test_each_network_is_scored_once_with_its_costs(loop: ScorePathsLoop) -> None:
    assert loop.run() == {'search/paths': 3}
    rows = {row['key']: row for row in read_rows(loop.out)}
    assert len(rows) == 3
    for path in PATHS:
        row = rows[loop.space.key(path)]
        assert row['score'] == pytest.approx(slow_accuracy(loop.model, path))
        assert row['flops'] == loop.space.flops(loop.space.indices([path]))[0]
        assert row['space'] == loop.space.fingerprint()


def test_an_interrupted_file_is_continued_and_its_scores_stay(
    tmp_path: Path, loop: ScorePathsLoop
) -> None:
    loop.run()
    first, second, third = read_rows(loop.out)
    first['score'] = 12.5  # no network's score: a second scoring would change it
    (tmp_path / 'scores.jsonl').write_text(format_rows([first, second]) + json.dumps(third)[:40])
    again = _loop(tmp_path)
    again.run()
    assert read_rows(again.out) == [first, second, third]


def test_scores_of_another_checkpoint_are_not_continued(
    tmp_path: Path, loop: ScorePathsLoop
) -> None:
    loop.run()
    before = (tmp_path / 'scores.jsonl').read_bytes()
    other = _loop(tmp_path)
    with torch.no_grad():
        other.model.head.bias[0] += 1
    with pytest.raises(ValueError, match=r"scores\.jsonl' holds scores of another checkpoint"):
        other.run()
    assert (tmp_path / 'scores.jsonl').read_bytes() == before


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'test_cfg\.log_interval=0 must be at least 1'):
        _loop(tmp_path, log_interval=0)
