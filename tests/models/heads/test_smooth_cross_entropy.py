import pytest
import torch
from mmpretrain.models.losses import LabelSmoothLoss

from mmrel.models.heads import SmoothCrossEntropy


@pytest.mark.parametrize('smoothing', [0.1, 0.3])
def test_is_mmpretrains_loss_for_classes_and_for_mixed_labels(smoothing: float) -> None:
    logits = torch.randn(6, 5, dtype=torch.float64)
    labels = torch.randint(0, 5, (6,))
    ours = SmoothCrossEntropy(label_smoothing=smoothing, loss_weight=2.0)
    theirs = LabelSmoothLoss(label_smooth_val=smoothing, num_classes=5, mode='original')
    expected = 2 * theirs(logits, labels)
    torch.testing.assert_close(ours(logits, labels), expected)
    torch.testing.assert_close(ours(logits, labels, avg_factor=3), 2 * expected)
    mixed = torch.randn(6, 5, dtype=torch.float64).softmax(1)
    by_hand = -((1 - smoothing) * mixed + smoothing / 5) * logits.log_softmax(1)
    torch.testing.assert_close(ours(logits, mixed), 2 * by_hand.sum(1).mean())


def test_is_in_float32_under_autocast() -> None:
    logits, labels = torch.randn(6, 5), torch.randint(0, 5, (6,))
    loss = SmoothCrossEntropy()
    with torch.autocast('cpu', torch.bfloat16):
        under = loss(logits.bfloat16(), labels)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, loss(logits.bfloat16().float(), labels))


def test_a_share_out_of_range() -> None:
    with pytest.raises(ValueError, match=r'loss\.label_smoothing=1'):
        SmoothCrossEntropy(label_smoothing=1.0)
