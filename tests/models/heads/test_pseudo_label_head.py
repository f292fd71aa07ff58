import pytest
import torch
import torch.nn.functional as F

from mmrel.models.heads import PseudoLabelHead
from tests.distributed import run_ranks


def _batch(b: int = 8, c: int = 5) -> dict[str, torch.Tensor]:
    logits = torch.randn(3, b, c, dtype=torch.float64) * 2
    return dict(
        labeled_logits=logits[0],
        labels=torch.randint(0, c, (b,)),
        logits=logits[1],
        target=logits[2].softmax(1),
        classes=torch.randint(-1, c, (b,)),
    )


def test_losses_and_shares_are_counted_image_by_image() -> None:
    head, batch = PseudoLabelHead(threshold=0.6, loss_weight=10.0), _batch()
    losses = head.loss(**batch)
    unlabeled, passed, known, right = 0.0, 0, 0, 0
    for row, p, c in zip(batch['logits'], batch['target'], batch['classes'].tolist(), strict=True):
        if p.max() < 0.6:
            continue
        passed += 1
        unlabeled += F.cross_entropy(row[None], p[None]).item()
        known += c >= 0
        right += p.argmax().item() == c
    assert 0 < passed < 8
    assert known > 0
    torch.testing.assert_close(
        losses['loss_x'], F.cross_entropy(batch['labeled_logits'], batch['labels'])
    )
    assert losses['loss_u'].item() == pytest.approx(10 * unlabeled / 8)
    assert losses['utilisation'].item() == pytest.approx(passed / 8)
    assert losses['pseudo_label_accuracy'].item() == pytest.approx(right / known)


def test_the_classes_change_nothing_but_the_log() -> None:
    head, batch = PseudoLabelHead(threshold=0.5), _batch()
    full = head.loss(**batch)
    without = head.loss(**dict(batch, classes=None))
    assert full.keys() - without.keys() == {'pseudo_label_accuracy'}
    del full['pseudo_label_accuracy']
    torch.testing.assert_close(without, full)


def test_none_passes() -> None:
    losses = PseudoLabelHead(threshold=1.0).loss(**_batch())
    for key in ('loss_u', 'utilisation', 'pseudo_label_accuracy'):
        assert losses[key].item() == 0


def test_a_step_in_which_none_passes_repeats_the_accuracy_of_the_last() -> None:
    head, batch = PseudoLabelHead(threshold=0.5), _batch()
    batch['target'] = F.one_hot(batch['classes'].clamp(min=0), 5).double()
    batch['classes'][0] = 1
    first = head.loss(**batch)['pseudo_label_accuracy']
    assert first > 0.5
    unsure = dict(batch, target=torch.full((8, 5), 0.2, dtype=torch.float64))
    assert head.loss(**unsure)['utilisation'].item() == 0
    assert head.loss(**unsure)['pseudo_label_accuracy'].item() == pytest.approx(first.item())
    assert not head.state_dict()


def test_half_precision_is_upcast() -> None:
    batch = {k: v.bfloat16() if v.is_floating_point() else v for k, v in _batch().items()}
    with torch.autocast('cpu', torch.bfloat16):
        losses = PseudoLabelHead(threshold=0.3).loss(**batch)
    assert losses['loss_x'].dtype == losses['loss_u'].dtype == torch.float32


def _on_rank(rank: int, batch: dict) -> dict:
    half = {k: v[rank * 4 : rank * 4 + 4] for k, v in batch.items()}
    if rank == 0:
        half['classes'] = None  # one rank has no classes
    return PseudoLabelHead(threshold=0.5).loss(**half)


def test_the_shares_are_those_of_all_ranks() -> None:
    batch = _batch()
    batch['classes'][:4] = -1
    alone = PseudoLabelHead(threshold=0.5).loss(**batch)
    zero, one = run_ranks(_on_rank, 2, batch)
    for key in ('loss_x', 'loss_u'):
        torch.testing.assert_close((zero[key] + one[key]) / 2, alone[key])
    torch.testing.assert_close(one['utilisation'], alone['utilisation'])
    torch.testing.assert_close(zero['utilisation'], alone['utilisation'])
    torch.testing.assert_close(one['pseudo_label_accuracy'], alone['pseudo_label_accuracy'])
    assert 'pseudo_label_accuracy' not in zero


@pytest.mark.parametrize(
    ('change', 'message'),
    [(dict(threshold=1.5), r'head\.threshold=1\.5'), (dict(loss_weight=-1), r'loss_weight=-1')],
)
def test_config_errors(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PseudoLabelHead(**change)
