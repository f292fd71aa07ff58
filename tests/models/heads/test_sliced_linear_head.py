"""The classifier of a supernet's two sides against loops over single weights."""

import pytest
import torch
from mmpretrain.structures import DataSample

from mmrel.models.heads import SlicedLinearClsHead

# Features of three of five channels, from the left and from the right.
LEFT, RIGHT = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[2.0, 1.0, 4.0], [-1.0, 0.5, 2.0]]


def _head() -> SlicedLinearClsHead:
    head = SlicedLinearClsHead(num_classes=4, in_channels=5).double()
    torch.nn.init.normal_(head.fc.weight)
    torch.nn.init.normal_(head.fc.bias)
    return head


def _features() -> dict[str, torch.Tensor]:
    sides = dict(left=LEFT, right=RIGHT)
    return {side: torch.tensor(x, dtype=torch.float64) for side, x in sides.items()}


def _slow(head: SlicedLinearClsHead) -> list[list[list[float]]]:
    """Logits by side, image and class."""
    weight, bias = head.fc.weight.tolist(), head.fc.bias.tolist()
    return [
        [
            [
                sum(x * row[start + i] for i, x in enumerate(image)) + shift
                for row, shift in zip(weight, bias, strict=True)
            ]
            for image in images
        ]
        for images, start in ((LEFT, 0), (RIGHT, 2))
    ]


def test_each_side_uses_its_columns_of_the_weights() -> None:
    head = _head()
    slow = torch.tensor(_slow(head), dtype=torch.float64)
    torch.testing.assert_close(head.side_logits(_features()), slow)
    torch.testing.assert_close(head(_features()), slow[0] + slow[1])
    # The order is that of the features, and one side is enough.
    right = dict(right=_features()['right'])
    torch.testing.assert_close(head.side_logits(right), slow[1:])


@torch.no_grad()
def test_predictions_are_of_the_sum_and_scores_of_each_side() -> None:
    head = _head()
    slow = torch.tensor(_slow(head), dtype=torch.float64)
    given = [DataSample().set_gt_label(i) for i in (3, 1)]
    samples = head.predict(_features(), given)
    for i, sample in enumerate(samples):
        assert sample is given[i]
        torch.testing.assert_close(sample.side_scores, slow[:, i].softmax(1))
        torch.testing.assert_close(sample.pred_score, slow[:, i].sum(0).softmax(0))
        assert sample.pred_label.item() == slow[:, i].sum(0).argmax()


def test_the_loss_is_of_the_sum_and_reaches_only_the_used_columns() -> None:
    head, labels = _head(), [3, 1]
    samples = [DataSample().set_gt_label(label) for label in labels]
    features = dict(left=_features()['left'])
    loss = head.loss(features, samples)['loss']
    logits = torch.tensor(_slow(head)[0], dtype=torch.float64)
    expected = sum(
        row.exp().sum().log() - row[label] for row, label in zip(logits, labels, strict=True)
    )
    torch.testing.assert_close(loss, expected / 2)
    loss.backward()
    assert (head.fc.weight.grad[:, 3:] == 0).all()
    residual = logits.softmax(1) - torch.eye(4, dtype=torch.float64)[labels]
    torch.testing.assert_close(head.fc.weight.grad[:, :3], residual.T @ features['left'] / 2)


def test_logits_are_added_in_float32_under_autocast() -> None:
    head = _head().float()
    features = {side: x.float() for side, x in _features().items()}
    with torch.autocast('cpu', torch.bfloat16):
        sides, total = head.side_logits(features), head(features)
    assert total.dtype == torch.float32
    assert torch.equal(total, sides[0] + sides[1])


def test_more_features_than_the_layer_has_are_refused() -> None:
    with pytest.raises(ValueError, match='a slice of 6 channels does not fit a layer of 5'):
        _head()(dict(left=torch.zeros(1, 6, dtype=torch.float64)))
