"""The accuracy of a path's sides: an example by hand, batches, and repeated samples."""

import pytest
import torch
from torch import Tensor

from mmrel.evaluation import SideAccuracy

LEFT = torch.tensor([[3.0, 2, 1], [3, 2, 1], [1, 2, 3], [2, 3, 1]])
RIGHT = torch.tensor([[3.0, 2, 1], [1, 3, 2], [2, 3, 1], [1, 3, 2]])
LABELS = torch.tensor([0, 1, 0, 0])


def _samples(*rows: int) -> list[dict[str, Tensor]]:
    return [
        dict(side_scores=torch.stack([LEFT[i], RIGHT[i]]), gt_label=LABELS[i : i + 1]) for i in rows
    ]


def _evaluated(metric: SideAccuracy, *batches: tuple[int, ...], size: int = 4) -> dict[str, float]:
    for rows in batches:
        metric.process(None, _samples(*rows))
    return metric.evaluate(size)


def test_it_is_the_mean_over_the_sides() -> None:
    # Right at the first place: image 0 on both sides, image 1 on the right one. Among the first
    # two, also image 1 on the left, image 2 on the right, image 3 on the left.
    values = _evaluated(SideAccuracy(topk=(1, 2)), (0, 1, 2, 3))
    assert values == {'accuracy/top1': 37.5, 'accuracy/top2': 75.0}


def test_batches_and_their_order_do_not_matter() -> None:
    metric = SideAccuracy(topk=1, prefix='path')
    assert _evaluated(metric, (3, 0), (2,), (1,)) == {'path/top1': 37.5}


def test_a_sample_that_a_loader_repeats_does_not_count() -> None:
    metric = SideAccuracy(topk=1)
    assert _evaluated(metric, (1, 2), (3, 0, 0), size=3) == {
        'accuracy/top1': pytest.approx(100 / 6)
    }
    # Nothing is left for the next evaluation.
    assert _evaluated(metric, (0,), size=1) == {'accuracy/top1': 100.0}
