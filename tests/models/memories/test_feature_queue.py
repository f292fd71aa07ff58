import pytest
import torch
import torch.nn.functional as F

from mmrel.models.memories import FeatureQueue
from tests.distributed import run_ranks


def _unit(n: int, d: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, d), dim=1)


def test_starts_with_unit_columns() -> None:
    queue = FeatureQueue(size=50, dim=8).read()
    assert queue.shape == (8, 50)
    torch.testing.assert_close(queue.norm(dim=0), torch.ones(50))


@pytest.mark.parametrize(('size', 'batch'), [(12, 4), (10, 4), (7, 5), (5, 5), (9, 2)])
def test_wraps_round_like_a_list(size: int, batch: int) -> None:
    memory = FeatureQueue(size=size, dim=3)
    slots = list(memory.read().T.clone())
    pointer = 0
    for _ in range(7):
        z = _unit(batch, 3)
        memory.write(z)
        for row in z:
            slots[pointer] = row
            pointer = (pointer + 1) % size
        torch.testing.assert_close(memory.read().T, torch.stack(slots), rtol=0, atol=0)
        assert memory.pointer.item() == pointer


def test_written_batch_is_in_the_state_dict_at_once() -> None:
    memory = FeatureQueue(size=6, dim=3)
    z = _unit(4, 3)
    memory.write(z)
    state = memory.state_dict()
    torch.testing.assert_close(state['queue'][:, :4], z.T)
    assert state['pointer'].item() == 4
    other = FeatureQueue(size=6, dim=3)
    other.load_state_dict(state)
    torch.testing.assert_close(other.read(), memory.read())


def test_loading_forgets_a_batch_that_waits() -> None:
    memory = FeatureQueue(size=6, dim=3)
    state = {k: v.clone() for k, v in memory.state_dict().items()}
    memory.write(_unit(4, 3))
    memory.load_state_dict(state)
    torch.testing.assert_close(memory.read(), state['queue'])


def test_backward_after_a_write_uses_the_memory_of_the_forward() -> None:
    memory = FeatureQueue(size=6, dim=3)
    z = _unit(4, 3).requires_grad_()
    before = memory.read().clone()
    similarity = memory.similarity(z)
    memory.write(_unit(4, 3))
    similarity.square().sum().backward()
    expected = 2 * (z.detach() @ before) @ before.T
    torch.testing.assert_close(z.grad, expected)


def test_similarity_is_float32_under_autocast_and_keeps_float64() -> None:
    memory = FeatureQueue(size=64, dim=32)
    z = _unit(4, 32)
    with torch.autocast('cpu', torch.bfloat16):
        low = memory.similarity(z)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, z @ memory.read())
    assert memory.double().similarity(z.double()).dtype == torch.float64


def test_batch_larger_than_memory_is_refused() -> None:
    memory = FeatureQueue(size=6, dim=3)
    with pytest.raises(ValueError, match=r'global batch of 7 .* model\.memory\.size \(now 6\)'):
        memory.write(_unit(7, 3))


@pytest.mark.parametrize('key', ['size', 'dim'])
def test_config_errors(key: str) -> None:
    with pytest.raises(ValueError, match=rf'memory\.{key}=0'):
        FeatureQueue(**{'size': 4, 'dim': 4, key: 0})


def _write_on_ranks(rank: int, z: torch.Tensor) -> dict:
    torch.manual_seed(1)
    memory = FeatureQueue(size=10, dim=3)
    for step in z:
        memory.write(step[rank * 4 : (rank + 1) * 4])
    return dict(memory.state_dict())


def test_two_ranks_write_what_one_writes() -> None:
    z = torch.stack([_unit(8, 3) for _ in range(3)])
    torch.manual_seed(1)
    alone = FeatureQueue(size=10, dim=3)
    for step in z:
        alone.write(step)
    for state in run_ranks(_write_on_ranks, 2, z):
        torch.testing.assert_close(state['queue'], alone.read(), rtol=0, atol=0)
        assert state['pointer'].item() == alone.pointer.item()
