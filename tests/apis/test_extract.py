"""Features for use, as a command and as files."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mmrel.apis import FeatureExtractor, get_model
from mmrel.apis.extract import main
from tests.commands import TINY, call, run

EXTRACT = 'mmrel.apis.extract'


def _report(output: str) -> re.Match:
    line = r'^(\d+) images, dimension (\d+), ([\d.]+) images/s: (.*)$'
    found = re.search(line, output, re.MULTILINE)
    assert found, output
    return found


def test_command_writes_npy_and_parquet(
    images: Path, paths: list[str], checkpoint: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    inputs = [images / 'b', paths[0]]
    expected = extractor.extract(inputs)
    common = [EXTRACT, TINY, *inputs, '--pretrained', checkpoint, '--batch-size', 4]
    npy, parquet = tmp_path / 'new' / 'features.npy', tmp_path / 'features.parquet'
    report = _report(call(*common, '--out', npy, '--num-workers', 2, '--no-progress'))
    assert report.group(1, 2) == (str(len(expected.paths)), '64')
    assert report[4] == f'{npy} and {tmp_path / "new" / "features.paths.txt"}'
    features = np.load(npy)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, expected.features)
    assert (npy.parent / 'features.paths.txt').read_text().splitlines() == expected.paths
    assert sorted(p.name for p in npy.parent.iterdir()) == ['features.npy', 'features.paths.txt']

    assert _report(call(*common, '--out', parquet, '--no-progress'))[4] == str(parquet)
    table = pq.read_table(parquet)
    assert table.column_names == ['path', 'feature']
    assert str(table.schema.field('feature').type).startswith('fixed_size_list<')
    assert table.schema.field('feature').type.list_size == 64
    assert table['path'].to_pylist() == expected.paths
    np.testing.assert_array_equal(np.stack(table['feature'].to_numpy()), expected.features)


def test_command_takes_names_and_options(images: Path, tmp_path: Path) -> None:
    name = 'ressl_resnet18-w16_1xb64-linear-coslr-20e_digits'
    torch.manual_seed(1)
    narrow = {'model.backbone.base_channels': 4, 'model.head.in_channels': 32}
    model = get_model(name, cfg_options=narrow)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'linear.pth')
    out = tmp_path / 'features.npy'
    output = call(
        EXTRACT, name, images, '--pretrained', 'linear.pth', '--out', out, '--device', 'cpu',
        '--cfg-options', *(f'{key}={value}' for key, value in narrow.items()), cwd=tmp_path,
    )  # fmt: skip
    assert '21/21' in output  # the bar
    np.testing.assert_allclose(
        np.load(out), FeatureExtractor(model, progress=False)(images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize('ending', ['npy', 'parquet'])
def test_command_keeps_what_is_done(
    paths: list[str], with_broken: list[str], checkpoint: Path, extractor: FeatureExtractor,
    tmp_path: Path, ending: str,
) -> None:  # fmt: skip
    out = tmp_path / f'features.{ending}'
    out.write_text('of an earlier run')
    common = [EXTRACT, TINY, *with_broken, '--pretrained', checkpoint, '--batch-size', 4]
    common += ['--no-progress', '--out', out]
    output = call(*common, fails=True)
    partial = tmp_path / f'features.partial.{ending}'
    assert f'the results of the 7 finished images are in {partial}' in output
    assert f'error: image {with_broken[6]!r} cannot be decoded' in output
    assert 'Traceback' not in output
    assert out.read_text() == 'of an earlier run'
    if ending == 'npy':
        features = np.load(partial)
        names = (tmp_path / 'features.partial.paths.txt').read_text().splitlines()
    else:
        table = pq.read_table(partial)
        features, names = np.stack(table['feature'].to_numpy()), table['path'].to_pylist()
    assert names == paths[:7]
    np.testing.assert_allclose(features, extractor(paths[:7]), rtol=1e-4, atol=1e-5)

    output = call(*common, '--skip-broken')
    assert 'skipped 2 of 23 images because they cannot be decoded' in output
    assert _report(output)[1] == '21'


def test_command_that_cannot_write_puts_the_features_elsewhere(
    images: Path, checkpoint: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    out = tmp_path / 'features.npy'
    out.write_text('of an earlier run')
    (tmp_path / 'features.paths.txt.partial').mkdir()  # in the way, also for root
    output = call(
        EXTRACT, TINY, images, '--pretrained', checkpoint, '--out', out, '--batch-size', 4,
        fails=True,
    )  # fmt: skip
    rescue = re.search(r'the features are in (\S+)', output)[1]
    np.testing.assert_array_equal(np.load(rescue), extractor(images))
    assert out.read_text() == 'of an earlier run'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(out='features.csv'), 'the file extension must be .npy or .parquet'),
        (dict(out='.'), 'the file extension must be'),
        (dict(out='empty/../folder.npy'), "'empty/../folder.npy' is a folder"),
        (dict(inputs=['nowhere']), "1 path(s) do not exist: 'nowhere'"),
        (dict(inputs=['empty']), "no images in folder 'empty"),
        (dict(model='ressl_demo_digit'), 'did you mean ressl_demo_digits'),
        (dict(pretrained='none.pth'), "checkpoint 'none.pth' does not exist"),
        (dict(pretrained=None), 'give the path of the checkpoint'),
        (dict(more=['--device', 'gpu9']), "device='gpu9' cannot be used"),
        (dict(more=['--batch-size', 0]), 'batch_size=0 must be positive'),
        (dict(more=['--cfg-options', 'modle.x=1']), "no section 'modle'"),
        (dict(more=['--cfg-options', 'model.backbone.base_channels=16']), 'does not fit'),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_before_any_work(
    images: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict,
    message: str,
) -> None:  # fmt: skip
    """In this process: a dozen commands would take a minute."""
    for folder in ('empty', 'folder.npy'):
        (tmp_path / folder).mkdir()
    given = dict(model=TINY, inputs=[images], pretrained=checkpoint, out='features.npy', more=[])
    given |= change
    weights = [] if given['pretrained'] is None else ['--pretrained', given['pretrained']]
    words = [given['model'], *given['inputs'], *weights, '--out', given['out'], *given['more']]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([*map(str, words)])
    assert re.fullmatch(rf'error: .*{re.escape(message)}.*', caught.value.code, re.DOTALL)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['empty', 'folder.npy']


def test_command_ends_with_one_clear_error(images: Path, tmp_path: Path) -> None:
    output = run(
        EXTRACT, 'ressl_demo_digit', images, '--out', 'features.npy', fails=True, cwd=tmp_path
    )
    assert re.search(r"^error: no model is named 'ressl_demo_digit'; did", output, re.MULTILINE)
    assert 'Traceback' not in output


@pytest.mark.slow
def test_command_without_pyarrow(images: Path, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / 'pyarrow').mkdir()
    code = "raise ModuleNotFoundError(\"No module named 'pyarrow'\", name='pyarrow')\n"
    (tmp_path / 'pyarrow' / '__init__.py').write_text(code)
    out = tmp_path / 'features.parquet'
    output = run(
        EXTRACT, TINY, images, '--pretrained', checkpoint, '--out', out, fails=True,
        paths=[tmp_path],
    )  # fmt: skip
    assert 'pip install pyarrow' in output
    assert 'Traceback' not in output
    npy = run(
        EXTRACT, TINY, images, '--pretrained', checkpoint, '--out', out.with_suffix('.npy'),
        paths=[tmp_path],
    )  # fmt: skip
    assert _report(npy)[1] == '21'


def test_command_and_extractor_take_extensions(
    images: Path, paths: list[str], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'features.npy'
    options = ['--num-workers', '0', '--no-progress', '--extensions', 'jpg', '.bmp']
    main([str(TINY), str(images), '--pretrained', str(checkpoint), '--out', str(out), *options])
    expected = [path for path in paths if path.lower().endswith(('.jpg', '.bmp'))]
    assert (tmp_path / 'features.paths.txt').read_text().splitlines() == expected
    model = get_model(TINY, checkpoint)
    extractor = FeatureExtractor(model, progress=False, extensions='.png')
    found = extractor.extract(images).paths
    assert found == [path for path in paths if path.endswith('.png')]


def test_command_takes_the_teacher_and_half_precision(
    paths: list[str], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'features.npy'
    main([
        str(TINY), *paths, '--pretrained', str(checkpoint), '--out', str(out), '--no-progress',
        '--num-workers', '0', '--teacher', '--dtype', 'bfloat16', '--channels-last',
    ])  # fmt: skip
    settings = dict(teacher=True, dtype='bfloat16', channels_last=True, progress=False)
    expected = FeatureExtractor(TINY, checkpoint, **settings)(paths)
    np.testing.assert_array_equal(np.load(out), expected)
    exact = FeatureExtractor(TINY, checkpoint, teacher=True, progress=False)(paths)
    assert 0 < np.abs(expected - exact).max() < 0.05 * np.abs(exact).max()
