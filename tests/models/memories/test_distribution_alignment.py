import pytest
import torch

from mmrel.models.memories import DistributionAlignment
from tests.distributed import run_ranks


def _batches(number: int, batch: int = 8, classes: int = 4) -> list[torch.Tensor]:
    return [
        (torch.randn(batch, classes, dtype=torch.float64) * 2).softmax(1) for _ in range(number)
    ]


def test_divides_by_the_mean_of_the_last_batches() -> None:
    module, past = DistributionAlignment(num_classes=4, size=3).double(), []
    for i, p in enumerate(_batches(7), 1):
        past = [*past, p.mean(0)][-3:]  # a list of the last means, not a ring buffer with zeros
        ratio = p / (sum(past) / len(past))
        torch.testing.assert_close(module(p), ratio / ratio.sum(1, keepdim=True))
        torch.testing.assert_close(module.queue.sum(0), sum(past))
        assert module.pointer.item() == i % 3


def test_a_batch_alone_comes_out_without_a_favourite_class() -> None:
    """If all rows are equal, the mean is the row, and the result is uniform."""
    module = DistributionAlignment(num_classes=4, size=5).double()
    p = torch.tensor([0.7, 0.2, 0.05, 0.05], dtype=torch.float64).repeat(6, 1)
    torch.testing.assert_close(module(p), torch.full_like(p, 0.25))


def test_a_class_that_underflows_is_no_nan() -> None:
    module = DistributionAlignment(num_classes=3, size=4)
    p = torch.tensor([[-200.0, 0.0, 1.0], [-300.0, 1.0, 0.0]]).softmax(1)
    assert (p[:, 0] == 0).all()
    aligned = module(p)
    assert (aligned[:, 0] == 0).all()
    torch.testing.assert_close(aligned.sum(1), torch.ones(2))


def test_goes_on_from_its_state_dict_and_has_no_gradient() -> None:
    one, other = (DistributionAlignment(num_classes=4, size=3).double() for _ in range(2))
    first, second = _batches(2)
    one(first)
    other.load_state_dict(one.state_dict())
    out = one(second.requires_grad_())
    torch.testing.assert_close(other(second), out, rtol=0, atol=0)
    assert not out.requires_grad


def test_half_precision_is_upcast() -> None:
    module = DistributionAlignment(num_classes=4, size=3)
    (p,) = _batches(1)
    with torch.autocast('cpu', torch.bfloat16):
        assert module(p.bfloat16()).dtype == torch.float32


def _on_rank(rank: int, batches: list) -> dict:
    module = DistributionAlignment(num_classes=4, size=3).double()
    outs = [module(p[rank * 4 : rank * 4 + 4]) for p in batches]
    return dict(outs=torch.stack(outs), **module.state_dict())


def test_two_ranks_align_like_one() -> None:
    batches = _batches(5)
    alone = DistributionAlignment(num_classes=4, size=3).double()
    outs = torch.stack([alone(p) for p in batches])
    parts = run_ranks(_on_rank, 2, batches)
    torch.testing.assert_close(torch.cat([p['outs'] for p in parts], 1), outs)
    for part in parts:
        torch.testing.assert_close(part['queue'], alone.queue)
        assert part['pointer'].item() == alone.pointer.item() == 2


@pytest.mark.parametrize('key', ['num_classes', 'size'])
def test_config_errors(key: str) -> None:
    with pytest.raises(ValueError, match=rf'alignment\.{key}=0'):
        DistributionAlignment(**{'num_classes': 4, 'size': 4, key: 0})
