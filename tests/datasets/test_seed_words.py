import numpy as np
import pytest

from mmrel.datasets.seed_words import seed_words


@pytest.mark.parametrize('columns', [1, 2, 3, 4])
@pytest.mark.parametrize('high', [3, 2**32, 2**40])
def test_words_are_those_of_numpy(columns: int, high: int) -> None:
    entropy = np.random.default_rng(0).integers(0, high, (50, columns))
    for number in (1, 3, 4):
        expected = [np.random.SeedSequence(row).generate_state(number) for row in entropy.tolist()]
        np.testing.assert_array_equal(seed_words(entropy, number), np.stack(expected))
