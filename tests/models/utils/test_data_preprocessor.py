"""Images go to the device, samples stay where they are."""

import pytest
import torch
from mmpretrain.structures import DataSample

from mmrel.datasets.transforms.draws import ColorDraw, color_row
from mmrel.models.utils import SemiSupervisedDataPreprocessor
from mmrel.registry import MODELS


def test_tensors_are_moved_and_samples_are_not_even_copied() -> None:
    """torch's meta device stands for the accelerator."""
    samples = [DataSample().set_gt_label(i) for i in (2, 0)]
    views = [torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)]
    data = dict(inputs=dict(labeled=views, index=torch.arange(2)), data_samples=samples)
    moved = SemiSupervisedDataPreprocessor().to('meta').cast_data(data)
    assert [x.device.type for x in moved['inputs']['labeled']] == ['meta', 'meta']
    assert moved['inputs']['index'].device.type == 'meta'
    assert all(a is b for a, b in zip(moved['data_samples'], samples, strict=True))
    assert [sample.gt_label.tolist() for sample in samples] == [[2], [0]]


def test_each_batch_of_views_is_normalized() -> None:
    preprocessor = SemiSupervisedDataPreprocessor(mean=[1.0, 2, 3], std=[2.0, 4, 8])
    views = [torch.full((2, 3, 1, 1), value, dtype=torch.uint8) for value in (5, 11)]
    samples = [DataSample().set_gt_label(i) for i in (2, 0)]
    data = preprocessor(dict(inputs=views, data_samples=samples), training=True)
    found = [x[1].flatten().tolist() for x in data['inputs']]
    assert found == [[2, 0.75, 0.25], [5, 2.25, 1]]
    assert data['data_samples'][1] is samples[1]


@pytest.mark.parametrize(
    'kind', ['SelfSupDataPreprocessor', 'ClsDataPreprocessor', 'SemiSupervisedDataPreprocessor']
)
def test_colors_are_changed_before_the_views_are_normalized(kind: str) -> None:
    preprocessor = MODELS.build(dict(type=kind, mean=[100.0] * 3, std=[50.0] * 3))
    view = torch.full((2, 3, 1, 1), 100, dtype=torch.uint8)
    # Brightness 1.5, and inverted.
    rows = torch.stack([color_row(ColorDraw(brightness=1.5)), color_row(ColorDraw(solarize=0))])
    samples = [DataSample().set_gt_label(i) for i in (2, 0)]
    for several in (False, True) if kind != 'ClsDataPreprocessor' else (False,):
        inputs, colors = ([view], [rows]) if several else (view, rows)
        batch = dict(inputs=inputs, data_samples=samples, colors=colors)
        found = preprocessor(batch, training=True)['inputs']
        found = found[0] if several else found
        assert found[:, :, 0, 0].tolist() == [[1.0] * 3, [pytest.approx(1.1)] * 3]
        assert 'colors' in batch  # the loader's batch stays as it is
        plain = preprocessor(dict(inputs=view, data_samples=samples), training=True)['inputs']
        assert not plain.any()
