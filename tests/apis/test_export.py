"""Exporting as a command, and with the extractor's features."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmrel.apis import FeatureExtractor, ImagePredictor, export_model, get_model
from mmrel.apis.export import main
from tests.apis.exported import run_exported
from tests.apis.small_networks import NAMES
from tests.commands import TINY, TINY_LINEAR, call

EXPORT = 'mmrel.apis.export'


@pytest.mark.parametrize('ending', ['onnx', pytest.param('pt2', marks=pytest.mark.slow)])
def test_command_exports_scores_of_uint8_images(
    paths: list[str], tmp_path: Path, ending: str
) -> None:
    torch.manual_seed(0)
    model = get_model(TINY_LINEAR)
    nn.init.normal_(model.head.fc.weight)
    checkpoint = tmp_path / 'linear.pth'
    meta = dict(dataset_meta=dict(classes=NAMES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    out = tmp_path / 'new' / f'net.{ending}'
    output = call(
        EXPORT, TINY_LINEAR, out, '--pretrained', checkpoint, '--what', 'scores', '--preprocess'
    )
    assert f'{out}: scores of B x 3 x 32 x 32 images, differs from torch by ' in output
    squares = [path for path in paths if Image.open(path).size == (32, 32)]
    pixels = [np.asarray(Image.open(path).convert('RGB')) for path in squares]
    assert len(pixels) == 3
    given, metadata = run_exported(out, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
    expected = ImagePredictor(TINY_LINEAR, checkpoint, progress=False).predict(squares).scores
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
    assert metadata['classes'] == list(NAMES)
    assert metadata['size'] == [32, 32]
    config = model._config.data_preprocessor
    np.testing.assert_allclose(metadata['mean'], config.mean, rtol=1e-5)
    np.testing.assert_allclose(metadata['std'], config.std, rtol=1e-5)
    assert metadata['model'] == 'LinearClassifier'


def test_without_onnx_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    with pytest.raises(SystemExit) as caught:
        main([str(TINY), str(tmp_path / 'net.onnx'), '--pretrained', 'none.pth'])
    assert 'needs onnx and onnxscript' in caught.value.code
    assert "pip install 'mmrel[export]'" in caught.value.code
    assert '\n' not in caught.value.code


def test_features_are_the_extractors(paths: list[str], checkpoint: Path, tmp_path: Path) -> None:
    export_model(TINY, tmp_path / 'net.pt2', checkpoint, preprocess=True)
    pixels = np.stack([np.asarray(Image.open(p).convert('RGB').resize((32, 32))) for p in paths])
    given, _ = run_exported(tmp_path / 'net.pt2', torch.from_numpy(pixels).permute(0, 3, 1, 2))
    expected = FeatureExtractor(TINY, checkpoint, progress=False)(pixels)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
