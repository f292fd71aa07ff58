"""mmcv's NMS and RoIAlign on torchvision's ops."""

import sys
from types import ModuleType

import pytest
import torch
import torchvision.ops as tv
from mmcv.utils import collect_env

from mmrel.utils.mmcv_ops import use_torchvision_ops


@pytest.fixture(scope='module')
def ops() -> ModuleType:
    """mmcv.ops. It stays: its modules cannot be registered twice."""
    if not use_torchvision_ops():
        pytest.skip('mmcv has its compiled ops')
    import mmcv.ops

    return mmcv.ops


def _boxes(number: int) -> torch.Tensor:
    start = torch.rand(number, 2) * 40
    return torch.cat([start, start + 1 + torch.rand(number, 2) * 30], dim=1)


def _slow_nms(boxes: list, scores: list, threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        a = boxes[i]
        for j in kept:
            b = boxes[j]
            width = min(a[2], b[2]) - max(a[0], b[0]) + offset
            height = min(a[3], b[3]) - max(a[1], b[1]) + offset
            shared = max(width, 0) * max(height, 0)
            areas = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
            if shared / (sum(areas) - shared) > threshold:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('number', [0, 1, 60])
def test_nms(ops: ModuleType, offset: int, number: int) -> None:
    boxes, scores = _boxes(number).double(), torch.rand(number).double()
    dets, kept = ops.nms(boxes, scores, 0.3, offset)
    assert kept.tolist() == _slow_nms(boxes.tolist(), scores.tolist(), 0.3, offset)
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_batched_nms(ops: ModuleType) -> None:
    boxes, scores, classes = _boxes(50), torch.rand(50), torch.randint(0, 3, (50,))
    _, kept = ops.batched_nms(boxes, scores, classes, dict(type='nms', iou_threshold=0.4))
    assert kept.tolist() == tv.batched_nms(boxes, scores, classes, 0.4).tolist()


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('number', [0, 5])
def test_roi_align(ops: ModuleType, aligned: bool, ratio: int, number: int) -> None:
    rois = torch.cat([torch.randint(0, 2, (number, 1)).float(), _boxes(number)], dim=1)
    features = torch.randn(2, 3, 20, 24)
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    found = ops.RoIAlign((7, 5), 0.25, ratio, aligned=aligned)(ours, rois)
    expected = tv.roi_align(theirs, rois, (7, 5), 0.25, ratio, aligned)
    assert torch.equal(found, expected)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_other_ops_say_what_is_missing(ops: ModuleType) -> None:
    boxes = _boxes(3)
    with pytest.raises(NotImplementedError, match="softnms needs mmcv's compiled ops"):
        ops.soft_nms(boxes, torch.rand(3))
    rois = torch.cat([torch.zeros(3, 1), boxes], dim=1)
    with pytest.raises(NotImplementedError, match="only has pool_mode='avg'"):
        ops.RoIAlign(2, pool_mode='max')(torch.randn(1, 1, 9, 9), rois)


def test_the_report_of_the_environment(ops: ModuleType) -> None:
    assert collect_env()['MMCV Compiler'] == 'n/a'


def test_compiled_ops_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ModuleType('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', compiled)
    assert not use_torchvision_ops()
    assert sys.modules['mmcv._ext'] is compiled


def test_roi_align_in_bf16_is_that_of_float32(ops: ModuleType) -> None:
    x = torch.randn(2, 3, 12, 12).bfloat16()
    rois = torch.tensor([[0.0, 1, 2, 7, 9], [1.0, 0, 0, 11, 5]])
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        given = x.detach().to(dtype).clone().requires_grad_()
        out = ops.roi_align(given, rois.to(dtype), (4, 4), 1.0, 2, 'avg', True)
        out.float().square().sum().backward()
        found.append((out, given.grad))
    for half, full in zip(*found, strict=True):
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), full, rtol=2e-2, atol=2e-2)
