"""NSGA-II whose draws follow from the seed, the slot and the scores."""

from itertools import islice

import pytest

from mmrel.search.evolution import Evolution
from mmrel.spaces import ArchPath
from tests.search.toy import PlainSpace


def _path(width: int, second: str = 'yes') -> ArchPath:
    return dict(second=second, **{f'width{i}': width for i in range(6)})


def _evolution(scores: list[list[float]], **settings: object) -> Evolution:
    """Paths of equal widths 1, 2, ... with these scores, by generation."""
    settings = dict(dict(directions=['maximize'], population=4, seed=0), **settings)
    evolution = Evolution(PlainSpace(), **settings)
    width = 0
    for generation, row in enumerate(scores):
        for score in row:
            width += 1
            evolution.add(_path(width), [score], generation)
    return evolution


def _children(evolution: Evolution, slot: int, generation: int, count: int = 30) -> list[ArchPath]:
    return list(islice(evolution.children(slot, generation), count))


def test_a_draw_does_not_depend_on_the_draws_before_it() -> None:
    scores = [[1, 2, 3, 4]]
    one, other = _evolution(scores), _evolution(scores)
    before = [_children(one, slot, 1) for slot in (4, 5, 6)]
    assert _children(other, 6, 1) == before[2]
    assert _children(other, 4, 1) == before[0]
    assert _children(_evolution(scores, seed=1), 6, 1) != before[2]
    assert before[0] != before[1]
    assert one.generator(3).random() == other.generator(3).random() != one.generator(4).random()


def test_without_crossover_and_mutation_children_are_the_best_of_earlier_generations() -> None:
    evolution = _evolution(
        [[1, 2, 3, 4], [5, 6, 0, 0.5], [9, 9, 9, 9]], crossover_prob=0, mutation_prob=0
    )
    # Of generations 0 and 1 the four best are widths 3 to 6; generation 2 comes too late.
    widths = {child['width0'] for child in _children(evolution, 8, 2, 100)}
    assert widths == {3, 4, 5, 6}
    assert all(child == _path(child['width0']) for child in _children(evolution, 8, 2))


def test_a_second_objective_keeps_what_is_cheap() -> None:
    evolution = Evolution(
        PlainSpace(), ['maximize', 'minimize'], 2, 0, crossover_prob=0, mutation_prob=0
    )
    # Width 1: the cheapest; width 2: beaten by both others; width 3: the best.
    for generation, width, values in ((0, 1, (5, 1)), (0, 2, (4, 9)), (1, 3, (6, 8))):
        evolution.add(_path(width), values, generation)
    assert {child['width0'] for child in _children(evolution, 4, 2, 100)} == {1, 3}


def test_crossover_takes_every_choice_from_a_parent_and_mutation_from_the_space() -> None:
    scores = [[1, 2, 3, 4]]
    crossed = _children(_evolution(scores, crossover_prob=1, mutation_prob=0), 4, 1, 200)
    options = {child[f'width{i}'] for child in crossed for i in range(6)}
    assert options == {1, 2, 3, 4}
    assert any(len({child[f'width{i}'] for i in range(6)}) > 1 for child in crossed)
    mutated = _children(_evolution(scores, mutation_prob=1), 4, 1, 200)
    assert {child['width3'] for child in mutated} == set(range(1, 13))
    assert {child['second'] for child in mutated} == {'yes', 'no'}


def test_a_waiting_trial_holds_the_path_and_its_attributes() -> None:
    space, path = PlainSpace(), _path(7, 'no')
    trial = Evolution(space, ['maximize'], 4, 0).new_trial(path, slot=3, key='a')
    assert (trial.state.name, trial.params) == ('WAITING', path)
    assert trial.user_attrs == dict(slot=3, key='a')
    assert trial.distributions['width0'].choices == space.choices['width0']


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(crossover_prob=2), r'sampler\.crossover_prob=2 is outside \[0, 1\]'),
        (dict(swapping_prob=-0.1), r'sampler\.swapping_prob=-0\.1 is outside \[0, 1\]'),
        (dict(mutation_prob=1.5), r'sampler\.mutation_prob=1\.5 is outside \[0, 1\]'),
        (dict(seed=-1), r'test_cfg\.seed=-1 must not be negative'),
    ],
)
def test_numbers_out_of_range_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _evolution([], **settings)


@pytest.mark.parametrize(('share', 'slots'), [(0, []), (0.5, [1, 3, 5, 7]), (1, list(range(8)))])
def test_large_starts_are_spread_evenly(share: float, slots: list[int]) -> None:
    evolution = _evolution([], large_start=share)
    assert [slot for slot in range(8) if evolution.starts_large(slot)] == slots
