import pytest
import torch

from mmrel.models.heads import WidthSimilarityLoss


def test_against_the_formula_written_out() -> None:
    codes = torch.rand(5, 3, dtype=torch.float64)
    widths = torch.rand(5, dtype=torch.float64)
    expected = 0.0
    for i in range(5):
        for j in range(5):
            cosine = (codes[i] @ codes[j]) / (codes[i].norm() * codes[j].norm())
            expected += (cosine - (1 - abs(widths[i] - widths[j]))) ** 2 / 25
    torch.testing.assert_close(WidthSimilarityLoss(2.0)(codes, widths), 2 * expected)


def test_none_for_equal_widths_with_equal_codes() -> None:
    loss = WidthSimilarityLoss()(torch.tensor([[0.2, 0.8]] * 4), torch.full((4,), 0.6))
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match='loss_weight=-1'):
        WidthSimilarityLoss(-1)
