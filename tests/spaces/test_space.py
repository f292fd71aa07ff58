"""The base class of the search spaces, on a space with three choices."""

import json

import numpy as np
import pytest

from mmrel.spaces import SearchSpace

CHOICES = dict(kind=['a', None], width=[1, 2, 3], share=[0.5, 1.0])
PATH = dict(kind=None, width=3, share=0.5)


class _Space(SearchSpace):
    """The width of kind None is not used."""

    def used(self, indices: np.ndarray) -> np.ndarray:
        used = super().used(indices)
        used[:, 1] = indices[:, 0] == 0
        return used

    def flops(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(indices).sum(axis=1)

    parameters = flops

    def subnet(self, path: dict) -> dict:
        return dict(path)


@pytest.fixture
def space() -> _Space:
    return _Space(CHOICES)


@pytest.mark.parametrize('choices', [{}, dict(a=[]), dict(a=[1, 1])])
def test_impossible_choices_are_refused(choices: dict) -> None:
    with pytest.raises(ValueError, match=r'no choices|non-empty list of different options'):
        _Space(choices)


def test_every_path_is_counted_and_comes_out_of_its_indices(space: _Space) -> None:
    grid = np.stack(np.meshgrid(range(2), range(3), range(2), indexing='ij'), -1).reshape(-1, 3)
    paths = space.paths(grid)
    assert len(paths) == space.size == 12
    assert len({json.dumps(path) for path in paths}) == 12
    np.testing.assert_array_equal(space.indices(paths), grid)
    assert paths[0] == dict(kind='a', width=1, share=0.5)
    assert paths[-1] == dict(kind=None, width=3, share=1.0)


def test_sampling_is_even_and_follows_the_generator(space: _Space) -> None:
    draws = space.sample_indices(60_000, np.random.default_rng(3))
    np.testing.assert_array_equal(draws, space.sample_indices(60_000, np.random.default_rng(3)))
    for column, options in enumerate(CHOICES.values()):
        shares = np.bincount(draws[:, column], minlength=len(options)) / len(draws)
        np.testing.assert_allclose(shares, 1 / len(options), atol=0.01)
    assert space.sample(np.random.default_rng(3)) == space.paths(
        space.sample_indices(1, np.random.default_rng(3))
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('a', 'a path must be a dict'),
        (dict(kind='a', width=1), "lacks 'share'"),
        (dict(PATH, width=4), r'width=4 of the path must be one of \[1, 2, 3\]'),
        (dict(PATH, width=True), 'width=True'),
        (dict(PATH, width=1.0), r'width=1\.0'),
        (dict(PATH, share=1), 'share=1 '),
        (dict(PATH, kind=['a']), 'kind='),
        (dict(PATH, depth=1), r"\['depth'\]"),
    ],
)
def test_a_path_outside_the_space_is_refused(space: _Space, path: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        space.validate(path)
    with pytest.raises(ValueError, match=message):
        space.indices([path])


def test_equal_networks_have_one_key(space: _Space) -> None:
    assert space.key(PATH) == space.key(dict(PATH, width=1))
    assert space.key(PATH) != space.key(dict(PATH, share=1.0))
    a = dict(kind='a', width=1, share=0.5)
    assert space.key(a) != space.key(dict(a, width=2))
    np.testing.assert_array_equal(space.canonical(space.indices([PATH])), [[1, 0, 0]])


def test_the_fingerprint_tells_spaces_apart(space: _Space) -> None:
    assert space.fingerprint() == _Space(CHOICES).fingerprint()
    assert space.fingerprint() != _Space(dict(CHOICES, width=[1, 2])).fingerprint()
    assert space.describe()['choices']['kind'] == ['a', None]
