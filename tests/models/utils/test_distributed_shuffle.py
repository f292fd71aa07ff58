import pytest
import torch

from mmrel.models.utils import shuffle_batch, unshuffle_batch
from tests.distributed import run_ranks
from tests.progress import at_iteration


def _shuffled(rank: int, iteration: int) -> tuple[torch.Tensor, torch.Tensor, bool]:
    torch.manual_seed(7 + rank)  # as mmengine seeds ranks
    before = torch.get_rng_state()
    x = torch.arange(6.0)[:, None] + 6 * rank
    with at_iteration(iteration, 10, 2):
        shuffled, order = shuffle_batch(x)
    same = torch.equal(torch.get_rng_state(), before)
    assert torch.equal(unshuffle_batch(shuffled, order), x)
    return shuffled.flatten(), order, same


@pytest.mark.parametrize('ranks', [1, 2])
def test_the_order_follows_from_the_iteration_and_goes_back(ranks: int) -> None:
    found = {}
    for step in (3, 4):
        found[step] = [
            run_ranks(_shuffled, ranks, step) if ranks > 1 else [_shuffled(0, step)]
            for _ in range(2)
        ]
        first, again = found[step]
        for one, other in zip(first, again, strict=True):
            assert torch.equal(one[0], other[0])
            assert one[2]  # the global random state is unchanged
        whole = torch.cat([part[0] for part in first])
        assert sorted(whole.tolist()) == list(range(6 * ranks))
        assert whole.tolist() != list(range(6 * ranks))
    assert not torch.equal(found[3][0][0][1], found[4][0][0][1])
