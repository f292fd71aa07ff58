"""A study's paths depend on the seed alone: not on the number of processes, or on kills."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from mmrel.search.budget import draw_paths
from mmrel.search.storage import open_storage
from mmrel.search.study import SearchStudy, studies_with_paths
from tests.search.toy import PlainSpace, accuracy
from tests.search.toy_study import BUDGET, toy_study, work


@pytest.mark.parametrize(
    'url', ['{}/study.journal', pytest.param('sqlite:///{}/study.db', marks=pytest.mark.slow)]
)
def test_every_scored_path_is_new_and_inside_the_budget(tmp_path: Path, url: str) -> None:
    study = toy_study(url.format(tmp_path))
    assert work(study) == list(range(30))
    rows = study.rows()
    assert [row['generation'] for row in rows] == [slot // 6 for slot in range(30)]
    assert len({row['key'] for row in rows}) == 30
    for row in rows:
        indices = study.space.indices([row['path']])
        assert row['flops'] == study.space.flops(indices)[0]
        assert 200 <= row['flops'] <= 300
        assert row['score'] == accuracy(row['path'])
    assert study.claim() is None


@pytest.mark.parametrize('seed', [0, pytest.param(1, marks=pytest.mark.slow)])
def test_generations_get_better_than_random_paths(tmp_path: Path, seed: int) -> None:
    study = toy_study(tmp_path / 's', population=20, generations=8, seed=seed)
    work(study)
    draws = draw_paths(study.space, study.budget, 160, np.random.default_rng(seed))
    by_luck = sorted(map(accuracy, draws))
    last = [row['score'] for row in study.rows() if row['generation'] == 7]
    # The mean of a generation is better than seven of ten random paths.
    assert np.mean(last) > by_luck[112]


def test_paths_follow_from_seed_and_scores_alone(tmp_path: Path) -> None:
    whole = toy_study(tmp_path / 'whole')
    work(whole)
    parts = tmp_path / 'parts'
    done = []
    for count in (1, 3, 8, 10**6):  # reopened in the middle of generations
        done += work(toy_study(parts), count)
    assert toy_study(parts).rows() == whole.rows()
    other = toy_study(tmp_path / 'other', seed=1)
    work(other)
    assert [r['key'] for r in other.rows()] != [r['key'] for r in whole.rows()]


def test_a_path_that_was_given_up_keeps_its_place(tmp_path: Path) -> None:
    whole = toy_study(tmp_path / 'whole')
    work(whole)
    study = toy_study(tmp_path / 'parts')
    work(study, 8)
    claim = study.claim()
    study.release(claim)
    assert not study.tell(claim, 1.0), 'the score of an abandoned path must not count'
    again = study.claim()
    assert (again.slot, again.path) == (claim.slot, claim.path)
    assert study.tell(again, accuracy(again.path))
    work(study)
    assert study.rows() == whole.rows()


def _process(where: str, pause: float, slots: multiprocessing.Queue) -> None:
    study = toy_study(where)
    while (claim := study.claim()) is not None:
        time.sleep(pause)
        assert study.tell(claim, accuracy(claim.path))
        slots.put((os.getpid(), claim.slot))


def _start(where: str, processes: int, pause: float) -> tuple[list, multiprocessing.Queue]:
    context = multiprocessing.get_context('spawn')
    slots = context.Queue()
    started = [
        context.Process(target=_process, args=(where, pause, slots)) for _ in range(processes)
    ]
    for process in started:
        process.start()
    return started, slots


@pytest.mark.slow
@pytest.mark.parametrize('url', ['{}/study.journal', 'sqlite:///{}/study.db'])
def test_three_processes_score_each_path_once(tmp_path: Path, url: str) -> None:
    where = url.format(tmp_path)
    started, slots = _start(where, 3, 0.05)
    scored = [slots.get(timeout=600) for _ in range(30)]
    for process in started:
        process.join(600)
        assert process.exitcode == 0
    assert slots.empty()
    assert sorted(slot for _, slot in scored) == list(range(30))
    assert len({pid for pid, _ in scored}) == 3
    alone = toy_study(tmp_path / 'alone')
    work(alone)
    # The same paths, not only the same number.
    assert toy_study(where).rows() == alone.rows()


@pytest.mark.slow
@pytest.mark.parametrize(
    'url',
    ['{}/study.journal', pytest.param('sqlite:///{}/study.db', marks=pytest.mark.slow)],
)
def test_a_killed_process_costs_its_path_alone(tmp_path: Path, url: str) -> None:
    where = url.format(tmp_path)
    started, slots = _start(where, 1, 0.1)
    for _ in range(8):
        slots.get(timeout=600)
    os.kill(started[0].pid, signal.SIGKILL)
    started[0].join(600)
    before = toy_study(where).rows()
    assert len(before) in (8, 9, 10)
    study = toy_study(where)
    slots = work(study)
    assert len(slots) == 30 - len(before), 'a scored path was scored again'
    alone = toy_study(tmp_path / 'alone')
    work(alone)
    assert study.rows() == alone.rows()
    assert study.rows()[: len(before)] == before


def test_a_machine_that_falls_silent_loses_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = toy_study(tmp_path / 's'), toy_study(tmp_path / 's')
    there.worker.machine = 'elsewhere'
    lost = there.claim()
    work(here, 5)
    clock = [time.monotonic()]
    monkeypatch.setattr('mmrel.search.worker.time.monotonic', lambda: clock[0])

    def sleep(_: float) -> None:
        clock[0] += 20
        beats.append(clock[0])
        if len(beats) < 20:  # 400 seconds of heartbeats
            there._beaten = -1e9
            there.beat()

    beats: list[float] = []
    monkeypatch.setattr('mmrel.search.study.time.sleep', sleep)
    again = here.claim()
    assert again.path == lost.path
    assert 20 + 14 < len(beats) < 20 + 18  # 300 seconds after the last one
    assert not there.tell(lost, 1.0)
    assert here.tell(again, 2.0)


def test_a_small_space_ends_the_search(tmp_path: Path) -> None:
    space = PlainSpace(layers=3, options=2)  # 8 paths, 4 more without the second block
    study = toy_study(
        tmp_path / 's', space=space, population=5, generations=9,
        budget=dict(cost=dict(type='PlainFLOPs'), min=0, max=10**6),
    )  # fmt: skip
    assert work(study) == list(range(12))
    assert study.total == 12
    assert toy_study(
        tmp_path / 's', space=space, population=5, generations=9,
        budget=dict(cost=dict(type='PlainFLOPs'), min=0, max=10**6),
    ).claim() is None  # fmt: skip


def test_two_objectives_find_a_front(tmp_path: Path) -> None:
    study = toy_study(tmp_path / 's', objectives=('accuracy', 'cost'), population=10, generations=8)
    work(study)
    late = [row for row in study.rows() if row['generation'] >= 6]
    early = [row for row in study.rows() if row['generation'] == 0]
    # More accuracy for the cost, at both ends of the budget.
    for low, high in ((200, 250), (250, 301)):
        best = [
            max(row['score'] for row in rows if low <= row['flops'] < high)
            for rows in (late, early)
        ]
        assert best[0] > best[1]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(seed=3), r'seed: the study has 0, this search has 3'),
        (
            dict(identity=dict(checkpoint='b')),
            r"checkpoint: the study has 'a', this search has 'b'",
        ),
        (dict(space=PlainSpace(options=11)), r'space: the study has'),
        (dict(budget=dict(BUDGET, max=310)), r'budget: .*flops <= 300.*flops <= 310'),
        (dict(population=7), r'population: the study has 6'),
        (dict(sampler=dict(mutation_prob=0.2)), r'sampler: '),
    ],
)
def test_another_search_cannot_go_on(tmp_path: Path, settings: dict, message: str) -> None:
    work(toy_study(tmp_path / 's'), 2)
    with pytest.raises(ValueError, match=message):
        toy_study(tmp_path / 's', **settings)


def test_a_new_search_does_not_take_over_an_old_one(tmp_path: Path) -> None:
    work(toy_study(tmp_path / 's', fresh=True), 2)
    with pytest.raises(FileExistsError, match='--resume'):
        toy_study(tmp_path / 's', fresh=True)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(population=1), 'population=1'),
        (dict(seed=-1), 'seed=-1 must not be negative'),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_study(tmp_path / 's', **settings)


def test_a_budget_that_no_path_meets(tmp_path: Path) -> None:
    study = toy_study(
        tmp_path / 's', budget=dict(cost=dict(type='PlainFLOPs'), max=15, max_draws=5000)
    )
    with pytest.raises(ValueError, match=r'flops <= 15.* 5000 random paths cost from \d+ to \d+'):
        study.claim()
    # The study can still be used.
    assert work(toy_study(tmp_path / 's'), 3) == [0, 1, 2]


def test_studies_with_paths_are_named(tmp_path: Path) -> None:
    toy_study(tmp_path / 's')
    assert studies_with_paths(open_storage(str(tmp_path / 's'))) == []
    work(toy_study(tmp_path / 's'), 1)
    assert studies_with_paths(open_storage(str(tmp_path / 's'))) == ['test']


def test_a_study_from_before_large_starts_is_continued_without_them(tmp_path: Path) -> None:
    def size(study: SearchStudy) -> float:
        work(study)
        rows = [row for row in study.rows() if row['generation'] == 0]
        return sum(row['flops'] for row in rows) / len(rows)

    # As an older study, it has no large_start in its identity.
    old = toy_study(tmp_path / 'old', sampler=dict(large_start=0))
    work(old, 2)
    random = size(toy_study(tmp_path / 'random', sampler=dict(large_start=0)))
    assert size(toy_study(tmp_path / 'old')) == random
    assert size(toy_study(tmp_path / 'new')) > random
    with pytest.raises(ValueError, match=r"sampler: the study has \{\}, .*'large_start': 0\.5"):
        toy_study(tmp_path / 'old', sampler=dict(large_start=0.5))
