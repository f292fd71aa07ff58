"""Exported networks give torch's results for batches of any length."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mmrel.apis import export_model, get_model
from tests.apis.exported import run_exported
from tests.apis.small_networks import CELLS, SMALL_CELLS, SMALL_VIT, VIT
from tests.commands import TINY, TINY_SIMMATCH, TINY_VITAS

MOBILE = 'ressl-ext_mobilenet-v2_1xb256-coslr-200e_imagefolder64'
SMALL_MOBILE = {'model.backbone.widen_factor': 0.25, 'model.memory.size': 64}


def _settle(model: nn.Module, size: int) -> None:
    """BN statistics of random images: with those at the start outputs can be almost zero."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    model.train()
    with torch.no_grad():
        model.backbone(torch.randn(8, 3, size, size))
    model.eval()


@pytest.mark.parametrize(
    ('config', 'options', 'what', 'ending'),
    [
        (TINY, {}, 'features', 'onnx'),
        pytest.param(TINY, {}, 'features', 'pt2', marks=pytest.mark.slow),
        pytest.param(VIT, SMALL_VIT, 'scores', 'onnx', marks=pytest.mark.slow),
        pytest.param(VIT, SMALL_VIT, 'scores', 'pt2', marks=pytest.mark.slow),
        pytest.param(MOBILE, SMALL_MOBILE, 'features', 'onnx', marks=pytest.mark.slow),
        pytest.param(MOBILE, SMALL_MOBILE, 'features', 'pt2', marks=pytest.mark.slow),
        pytest.param(CELLS, SMALL_CELLS, 'scores', 'onnx', marks=pytest.mark.slow),
        (CELLS, SMALL_CELLS, 'scores', 'pt2'),
    ],
)
def test_a_free_batch_gives_the_results_of_torch(
    tmp_path: Path, config: Any, options: dict, what: str, ending: str
) -> None:
    model = get_model(config, cfg_options=options)
    size = model.backbone.img_size if config == VIT else 64 if config == MOBILE else 32
    _settle(model, size)
    out = tmp_path / f'net.{ending}'
    report = export_model(model, out, what=what)
    assert report.difference < 1e-4
    assert report.metadata['size'] == [size, size]
    for count in (1, 3):
        images = torch.randn(count, 3, size, size)
        given, metadata = run_exported(out, images)
        with torch.no_grad():
            expected = model.backbone(images)[-1]
            if what == 'scores':
                expected = model(images, mode='tensor').softmax(1)
            elif expected.ndim == 4:
                expected = expected.mean((2, 3))
        assert expected.abs().max() > 0.05  # or any small output would do
        np.testing.assert_allclose(given, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert metadata == report.metadata
    assert metadata['output'] == what
    assert metadata['input'] == 'float32 RGB, (x - mean) / std'


@pytest.mark.slow
def test_the_teacher_and_another_size(tmp_path: Path) -> None:
    model = get_model(TINY_SIMMATCH)
    for parameter in model.teacher.parameters():
        parameter.data.mul_(1.5)
    out = tmp_path / 'net.pt2'
    report = export_model(model, out, what='scores', teacher=True, size=[40, 48])
    assert report.metadata['network'] == 'teacher'
    images = torch.randn(3, 3, 40, 48)
    given, metadata = run_exported(out, images)
    assert metadata['size'] == [40, 48]
    with torch.no_grad():
        expected = {n: model.logits(images, n).softmax(1) for n in ('student', 'teacher')}
    np.testing.assert_allclose(given, expected['teacher'], rtol=1e-4, atol=1e-5)
    assert np.abs(given - expected['student'].numpy()).max() > 1e-3
    # Neither the student nor the memory is in the file.
    names = torch.export.load(out).state_dict
    weights = sum(p.numel() for n in ('backbone', 'classifier')
                  for p in getattr(model.teacher, n).parameters())  # fmt: skip
    assert sum(v.numel() for k, v in names.items() if v.requires_grad or 'weight' in k) <= weights
    assert not any('memory' in key or 'neck' in key for key in names)


def test_a_built_model_is_not_changed(tmp_path: Path) -> None:
    model = get_model(TINY).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export_model(model, tmp_path / 'net.pt2')
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(out='net.pt'), ValueError, 'the file extension must be .onnx or .pt2'),
        (dict(out='net.pt2', size=[8, 8, 8]), ValueError, r'size=\[8, 8, 8\] must be'),
        (dict(out='net.pt2', size=0), ValueError, 'size=0 must be'),
        (dict(out='net.pt2', what='logits'), ValueError, "what='logits' must be one of features"),
        (dict(out='net.pt2', what='scores'), ValueError, 'ReSSL has no classifier'),
    ],
)
def test_bad_arguments(
    tmp_path: Path, arguments: dict, error: type[Exception], message: str
) -> None:
    out = tmp_path / arguments.pop('out')
    with pytest.raises(error, match=message):
        export_model(TINY, out, pretrained=False, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_supernet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='ViTAS is a supernet'):
        export_model(TINY_VITAS, tmp_path / 'net.pt2', pretrained=False)


def test_a_network_that_gives_another_result_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmrel.apis.exporter._TOLERANCE', -1.0)
    with pytest.raises(RuntimeError, match='is not written: the exported network differs'):
        export_model(TINY, tmp_path / 'net.pt2', pretrained=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_without_onnxruntime_it_says_that_nothing_was_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    report = export_model(TINY, tmp_path / 'net.onnx', pretrained=False)
    assert report.difference is None
    monkeypatch.undo()
    given, _ = run_exported(tmp_path / 'net.onnx', torch.zeros(5, 3, 32, 32))
    assert given.shape == (5, 64)
