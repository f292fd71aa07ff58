import mmpretrain.evaluation as mmpretrain_evaluation
import pytest
import torch

from mmrel.evaluation import Accuracy


def test_with_fewer_classes_than_top_k() -> None:
    # Saturated: the other classes' scores are exactly 0.
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    target = torch.tensor([0, 1, 2, 2])
    top1, top3, top5 = Accuracy.calculate(scores, target, (1, 3, 5))
    assert [top1[0].item(), top3[0].item(), top5[0].item()] == [75.0, 100.0, 100.0]


@pytest.mark.parametrize('thrs', [(0.0,), (None, 0.3)])
def test_with_more_classes_as_mmpretrain(thrs: tuple) -> None:
    scores, target = torch.rand(50, 8).softmax(1), torch.randint(0, 8, (50,))
    ours = Accuracy.calculate(scores, target, (1, 5), thrs)
    theirs = mmpretrain_evaluation.Accuracy.calculate(scores, target, (1, 5), thrs)
    assert ours == theirs


def test_labels_instead_of_scores() -> None:
    found = Accuracy.calculate(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 2]))
    assert found.item() == pytest.approx(200 / 3)
