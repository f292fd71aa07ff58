"""The benchmarks of the data: what they compare and print; the measured pipelines really run."""

import importlib.util
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from tests.commands import ROOT, call
from tests.images import make_folder


@pytest.fixture
def tools() -> Callable[[str], ModuleType]:
    """A function that imports a benchmark."""

    def module(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            name, ROOT / 'tools' / 'benchmarks' / f'{name}.py'
        )
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    return module


def test_data_benchmark_prints_medians_and_ratios(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Variants run in turn: torchvision, mmrel, mmrel with the cache, decoding. Of four rounds
    # the first does not count.
    seconds = [[9, 9, 9, 9], [4, 2, 1, 0.5], [40, 20, 10, 5], [4, 2, 1, 0.5]]
    ticks = [t for row in seconds for s in row for t in (0, s)]
    monkeypatch.setattr('time.process_time', iter(ticks).__next__)
    images = make_folder(tmp_path / 'images', classes=2, each=4)
    out = tmp_path / 'rates.json'
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    output = call(
        'benchmarks/data.py', '--settings', '32px', '--small-images', images, '--small-number', 4,
        '--rounds', 3, '--out', out,
    )  # fmt: skip
    rows = [line.split()[-3:] for line in output.splitlines() if line.startswith('32px ')]
    assert rows == [
        ['1.0', '1.00', '0.12'],
        ['2.0', '2.00', '0.25'],
        ['4.0', '4.00', '0.50'],
        ['8.0', '8.00', '1.00'],
    ]
    found = json.loads(out.read_text())['32px']
    assert found['mmrel']['rates'] == [2, 0.2, 2]


def test_large_images_are_parts_of_photographs(tmp_path: Path, tools: Callable) -> None:
    tools('data').make_images(tmp_path / 'made', (50, 37), 3)
    images = [Image.open(file) for file in sorted((tmp_path / 'made').iterdir())]
    assert [image.size for image in images] == [(50, 37)] * 3
    pixels = [np.asarray(image, float) for image in images]
    assert min(abs(a - b).mean() for a, b in itertools.pairwise(pixels)) > 10


@pytest.mark.parametrize('setting', ['224px', '224px-5crops', '32px'])
def test_all_variants_make_the_same_number_of_views(
    tmp_path: Path, tools: Callable, setting: str, mmrel_scope: None
) -> None:
    data = tools('data')
    config, _ = data.SETTINGS[setting]
    pipeline = Config.fromfile(ROOT / 'configs' / config).train_pipeline
    data.make_images(tmp_path / 'made', (60, 45), 2)
    files = sorted(map(str, (tmp_path / 'made').iterdir()))
    shapes = {}
    for name, task in data.variants(pipeline, files, small=False).items():
        made = task([0, 1])
        if name == 'decoding alone':
            assert [image.size for image in made] == [(60, 45)] * 2
            continue
        views = made['inputs'] if isinstance(made, dict) else made
        assert all(view.dtype == torch.uint8 for view in views)
        shapes[name] = [tuple(view.shape) for view in views]
    assert shapes['torchvision on Pillow'] == shapes['mmrel']
    assert len(shapes['mmrel']) == (6 if '5' in setting else 2)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no images in folder'):
        call('benchmarks/data.py', '--settings', '32px', '--small-images', tmp_path)
    with pytest.raises(ValueError, match='has no subfolders'):
        call('benchmarks/train.py', '--images', tmp_path)


def test_train_benchmark_reports_the_ratio_of_medians(
    tmp_path: Path, tools: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    train, calls = tools('train'), []
    rates = {'this': iter([100, 300, 200]), 'other': iter([50, 10, 100])}

    def in_checkout(root: Path, home: str, words: list) -> dict:
        which = 'this' if root == ROOT else 'other'
        calls.append((which, Path(home).name, words[-1]))
        assert len(list(Path(words[1]).glob('*/*'))) == 4
        return dict(rate=next(rates[which]), waiting=0.25 if which == 'this' else 0.5)

    monkeypatch.setattr(train, 'in_checkout', in_checkout)
    images = make_folder(tmp_path / 'images', classes=2, each=4)
    train.main(
        ['--images', str(images), '--number', '4', '--methods', 'WCL', '--other', str(tmp_path)]
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [['WCL', 'this', '200.0', '25%'], ['WCL', 'other', '50.0', '50%', '4.00']]
    assert calls == [('this', 'this', 'WCL'), ('other', 'other', 'WCL')] * 3


def test_train_benchmark_points_all_sets_to_the_folder(tools: Callable) -> None:
    config = dict(
        labeled=dict(data_root='a', label_split='b'),
        unlabeled=dict(data_root='a', without_split='c'),
    )
    tools('train').point_to(config, 'F', 'L')
    assert config == dict(
        labeled=dict(data_root='F', label_split='L'),
        unlabeled=dict(data_root='F', without_split=None),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'batch'),
    [('ReSSL-ext', 64), ('WCL', 256), ('SimMatch', 80), ('ViTAS', 64), ('K-shot NAS', 64)],
)
def test_train_benchmark_trains_each_method(
    tmp_path: Path, name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_folder(tmp_path / 'images', classes=10, each=52)
    # A second per call: two iterations of one wait and one step each.
    seconds = itertools.count(0.0, 1.0)
    monkeypatch.setattr('time.perf_counter', lambda: next(seconds))
    output = call(
        'benchmarks/train.py', '--images', images, '--one', name, '--warm-up', 1, '--iterations', 2,
        '--workers', 0,
    )  # fmt: skip
    (line,) = [line for line in output.splitlines() if line.startswith('measured: ')]
    found = json.loads(line.removeprefix('measured: '))
    assert found == dict(rate=batch * 2 / 4, waiting=2 / 4)


@pytest.mark.slow
def test_gpu_benchmark_prints_rates_and_the_ratio_to_its_floor(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'benchmarks')
    import step

    calls = []

    def timed(task: Callable, device: str) -> float:
        task()
        calls.append(task)
        # Four pairs of a step and its floor, then a batch from disk and its step.
        return 1.0 if len(calls) == 9 else (0.25, 0.5)[len(calls) % 2]

    monkeypatch.setattr(step, 'timed', timed)
    output = call(
        'benchmarks/gpu.py', '--images', images, '--batch', 2, '--steps', 1, '--workers', 1,
        '--methods', 'ReSSL', '--device', 'cpu',
    )  # fmt: skip
    row = next(line.split() for line in output.splitlines() if line.startswith('ReSSL '))
    assert row == ['ReSSL', '500.0', '250.0', '2.000', '4.0', '2.0', 'nan', 'nan']


def test_train_benchmark_compares_with_compiled_steps(
    tmp_path: Path, tools: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    train, calls = tools('train'), []

    def in_checkout(root: Path, home: str, words: list) -> dict:
        calls.append(words[words.index('--compile') :])
        return dict(eager=0.25, compiled=0.1, gain=2.5, first=12.34)

    monkeypatch.setattr(train, 'in_checkout', in_checkout)
    images = make_folder(tmp_path / 'images', classes=2, each=4)
    train.main(['--images', str(images), '--methods', 'ViTAS', 'WCL', '--compile'])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    values = ['250.0', '100.0', '2.50', '12.3']
    kinds = [(kind, layout) for kind in ('fp32', 'bf16') for layout in ('NCHW', 'channels-last')]
    assert rows == [['WCL', *kind, *values] for kind in kinds]
    layout, last = ['--channels-last'], ['--one', 'WCL']
    assert calls == [
        ['--compile', *options, *last] for options in ([], layout, ['--amp'], ['--amp', *layout])
    ]


@pytest.mark.slow
@pytest.mark.parametrize('name', ['ReSSL-ext', 'WCL', 'SimMatch'])
def test_train_benchmark_alternates_eager_and_compiled_steps(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_folder(tmp_path / 'images', classes=10, each=52)
    traced = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, 'compile', lambda self, **options: traced(self, **options, backend='eager')
    )
    # Two warm-up pairs of steps and two timed ones; an eager step takes 2 s, a compiled one 1 s.
    ticks = itertools.accumulate([0, 1, *[9, 2, 9, 1] * 4])
    monkeypatch.setattr('time.process_time', lambda: float(next(ticks)))
    output = call(
        'benchmarks/train.py', '--images', images, '--compile', '--one', name, '--iterations', 2,
    )  # fmt: skip
    (line,) = [line for line in output.splitlines() if line.startswith('measured: ')]
    found = json.loads(line.removeprefix('measured: '))
    del found['first']
    assert found == dict(eager=2, compiled=1, gain=2)
