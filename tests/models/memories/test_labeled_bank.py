import pytest
import torch
import torch.nn.functional as F

from mmrel.models.memories import LabeledBank
from tests.distributed import run_ranks


def _unit(n: int, d: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, d, dtype=torch.float64), dim=1)


def _slow_write(
    slots: list[torch.Tensor], labels: list[int], z: torch.Tensor, y: list[int],
    index: list[int], momentum: float,
) -> None:  # fmt: skip
    """Slot by slot, on lists."""
    for slot in set(index):
        mean = F.normalize(sum(row for row, i in zip(z, index, strict=True) if i == slot), dim=0)
        mixed = momentum * slots[slot] + (1 - momentum) * mean
        slots[slot] = mixed / mixed.norm()
        labels[slot] = y[index.index(slot)]


def test_starts_with_unit_columns_and_zeros() -> None:
    bank, labels = LabeledBank(size=50, dim=8).read()
    assert bank.shape == (8, 50)
    torch.testing.assert_close(bank.norm(dim=0), torch.ones(50))
    assert labels.tolist() == [0] * 50


@pytest.mark.parametrize('momentum', [0.0, 0.7])
@pytest.mark.parametrize('size', [40, 5])  # 5: the same image several times in a batch
def test_writes_slots_like_a_list(momentum: float, size: int) -> None:
    memory = LabeledBank(size=size, dim=3, momentum=momentum).double()
    bank, labels = memory.read()
    slots, classes = list(bank.T.clone()), labels.tolist()
    of_image = torch.randint(0, 9, (size,))
    for _ in range(6):
        index = torch.randint(0, size, (8,))
        z = _unit(8, 3)
        memory.write(z, of_image[index], index)
        _slow_write(slots, classes, z, of_image[index].tolist(), index.tolist(), momentum)
        bank, labels = memory.read()
        torch.testing.assert_close(bank.T, torch.stack(slots))
        assert labels.tolist() == classes


def test_a_write_does_not_depend_on_the_order_of_the_batch() -> None:
    z, index = _unit(8, 3), torch.tensor([0, 3, 0, 1, 3, 3, 2, 0])
    order = torch.randperm(8)
    torch.manual_seed(1)
    one = LabeledBank(size=4, dim=3, momentum=0.7).double()
    torch.manual_seed(1)
    other = LabeledBank(size=4, dim=3, momentum=0.7).double()
    one.write(z, index + 5, index)
    other.write(z[order], index[order] + 5, index[order])
    torch.testing.assert_close(one.read(), other.read(), rtol=1e-12, atol=1e-14)


def test_a_written_batch_is_in_the_state_dict_at_once() -> None:
    memory = LabeledBank(size=6, dim=3)
    z = _unit(2, 3).float()
    memory.write(z, torch.tensor([7, 8]), torch.tensor([4, 1]))
    state = memory.state_dict()
    torch.testing.assert_close(state['bank'][:, [4, 1]], z.T)
    assert state['labels'].tolist() == [0, 8, 0, 0, 7, 0]
    other = LabeledBank(size=6, dim=3)
    other.write(z, torch.tensor([1, 1]), torch.tensor([0, 5]))  # dropped by loading
    other.load_state_dict(state)
    torch.testing.assert_close(other.read(), memory.read())


def test_backward_after_a_write_uses_the_memory_of_the_forward() -> None:
    memory = LabeledBank(size=6, dim=3).double()
    z = _unit(4, 3).requires_grad_()
    before = memory.read()[0].clone()
    similarity = memory.similarity(z)
    memory.write(_unit(4, 3), torch.zeros(4, dtype=torch.long), torch.arange(4))
    similarity.square().sum().backward()
    torch.testing.assert_close(z.grad, 2 * (z.detach() @ before) @ before.T)


def test_similarity_is_float32_under_autocast() -> None:
    memory = LabeledBank(size=64, dim=32)
    z = _unit(4, 32).float()
    with torch.autocast('cpu', torch.bfloat16):
        low = memory.similarity(z)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, z @ memory.read()[0])
    assert memory.bfloat16().similarity(z.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize('momentum', [0.0, 0.7])
def test_what_waits_is_written_in_full_precision_inside_autocast(momentum: float) -> None:
    torch.manual_seed(0)
    memory = LabeledBank(size=6, dim=16, momentum=momentum)
    before, z = memory.read()[0].clone(), _unit(3, 16).float()
    with torch.autocast('cpu', torch.bfloat16):
        memory.write(z, torch.tensor([1, 2, 3]), torch.tensor([0, 4, 5]))
        bank, _ = memory.read()
    expected = F.normalize(momentum * before[:, [0, 4, 5]] + (1 - momentum) * z.T, dim=0)
    torch.testing.assert_close(bank[:, [0, 4, 5]], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('index', [6, -1])
def test_an_index_outside_the_bank_is_named(index: int) -> None:
    memory = LabeledBank(size=6, dim=3)
    before = memory.read()[0].clone()
    with pytest.raises(
        IndexError, match=rf'labeled image {index} .* bank of 6 slots: set model\.memory\.size'
    ):
        memory.write(_unit(2, 3), torch.zeros(2, dtype=torch.long), torch.tensor([0, index]))
    torch.testing.assert_close(memory.read()[0], before, rtol=0, atol=0)


@pytest.mark.parametrize(
    'change', [dict(size=0), dict(dim=0), dict(momentum=1.0), dict(momentum=-0.1)]
)
def test_config_errors(change: dict) -> None:
    ((key, value),) = change.items()
    with pytest.raises(ValueError, match=rf'memory\.{key}={value}'):
        LabeledBank(**{'size': 4, 'dim': 4, **change})


def _write_on_ranks(rank: int, momentum: float, steps: list) -> dict:
    torch.manual_seed(1)
    memory = LabeledBank(size=5, dim=3, momentum=momentum).double()
    half = slice(rank * 4, rank * 4 + 4)
    for z, index in steps:
        memory.write(z[half], index[half] + 5, index[half])
    return dict(memory.state_dict())


@pytest.mark.parametrize('momentum', [0.0, 0.7])
def test_two_ranks_write_what_one_writes(momentum: float) -> None:
    steps = [(_unit(8, 3), torch.randint(0, 5, (8,))) for _ in range(3)]
    torch.manual_seed(1)
    alone = LabeledBank(size=5, dim=3, momentum=momentum).double()
    for z, index in steps:
        alone.write(z, index + 5, index)
    for state in run_ranks(_write_on_ranks, 2, momentum, steps):
        torch.testing.assert_close(state, dict(alone.state_dict()), rtol=1e-12, atol=1e-14)
