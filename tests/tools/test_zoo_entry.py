"""tools/zoo/add_entry.py: what is shipped of a run, and its entry."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mmrel.apis import FeatureExtractor, get_model, zoo_files
from mmrel.apis.zoo_files import log_lines, read_metrics
from mmrel.utils import load_checkpoint_file
from mmrel.visualization.curves import find_scalars, read_scalars
from tests.commands import TINY, TINY_LINEAR, call, folders

METAFILE = """\
Collections:
  - Name: Tiny
    Metadata:
      Architecture:
        - ResNet

Models:
  - Name: other
    Metadata:
      Epochs: 1  # as it is
    Results: null
    Config: configs/tiny/other.py
"""


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs."""
    work_dir = tmp_path_factory.mktemp('run')
    call('train.py', TINY, '--work-dir', work_dir, *folders(images), 'train_cfg.max_epochs=2',
         'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False')  # fmt: skip
    return work_dir


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A zoo with one metafile, and a config that is not in it yet."""
    folder = tmp_path / 'configs' / 'tiny'
    folder.mkdir(parents=True)
    (tmp_path / 'model-index.yml').write_text('Import:\n  - configs/tiny/metafile.yml\n')
    (folder / 'metafile.yml').write_text(METAFILE)
    (folder / 'tiny_shipped.py').write_text(f'_base_ = [{str(TINY)!r}]\n')
    return tmp_path


def _add(root: Path, trained: Path, *arguments: object) -> str:
    return call(
        'zoo/add_entry.py', root / 'configs/tiny/tiny_shipped.py', trained / 'epoch_2.pth',
        '--root', root, '--data', 'three: colors', '--command', 'python tools/train.py "x y"',
        *arguments,
    )  # fmt: skip


def _files(root: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (root / 'zoo' / 'tiny_shipped').iterdir()}


@pytest.mark.slow
def test_a_run_becomes_an_entry(
    root: Path, trained: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, metafile = root / 'configs/tiny/tiny_shipped.py', root / 'configs/tiny/metafile.yml'
    assert 'no results yet' in _add(root, trained)
    shipped = root / 'zoo/tiny_shipped/model.safetensors'
    content = load_checkpoint_file(shipped)
    state = load_checkpoint_file(trained / 'epoch_2.pth')['state_dict']
    expected = {k: v for k, v in state.items() if k.startswith('backbone.')}
    assert content['state_dict'].keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(content['state_dict'][key], value, rtol=0, atol=0)
    meta = content['meta']
    assert (meta['name'], meta['method'], meta['dtype']) == ('tiny_shipped', 'ReSSL', 'float32')
    assert (meta['backbone']['depth'], meta['image_size'], meta['epoch']) == (18, [32, 32], 2)
    assert meta['dataset_meta']['classes'] == ['class0', 'class1', 'class2']

    # The file is tested as it is, and gives what the whole checkpoint gives.
    results = []
    for file in (shipped, trained / 'epoch_2.pth'):
        out = tmp_path / f'{file.stem}.json'
        call('test.py', config, file, '--work-dir', tmp_path / 'w', '--out', out, *folders(images))
        results.append(json.loads(out.read_text()))
    assert results[0] == results[1]

    result = ('--result', 'kNN', 'three colors', tmp_path / 'model.json', 'python tools/test.py')
    _add(root, trained, *result)
    models = yaml.safe_load(metafile.read_text())['Models']
    assert metafile.read_text().startswith(METAFILE)
    assert models[1] == {
        'Name': 'tiny_shipped',
        'Metadata': {
            'Epochs': 4,
            'Batch Size': 8,
            'Training Data': 'three: colors',
            'FLOPs': models[1]['Metadata']['FLOPs'],
            'Parameters': sum(v.numel() for k, v in expected.items() if k.endswith(
                ('weight', 'bias'))),
        },
        'In Collection': 'Tiny',
        'Results': [
            {
                'Task': 'kNN',
                'Dataset': 'three colors',
                'Metrics': read_metrics(tmp_path / 'model.json'),
                'Command': 'python tools/test.py',
            }
        ],
        'Config': 'configs/tiny/tiny_shipped.py',
        'Weights': 'zoo/tiny_shipped/model.safetensors',
        'Training Log': 'zoo/tiny_shipped/log.json',
        'Command': 'python tools/train.py "x y"',
    }  # fmt: skip
    assert load_checkpoint_file(shipped)['meta']['results'] == models[1]['Results']
    files, text = _files(root), metafile.read_text()
    assert sorted(files) == ['README.md', 'curves.png', 'log.json', 'model.safetensors']
    _add(root, trained)  # keeps the results
    assert (_files(root), metafile.read_text()) == (files, text)

    monkeypatch.setattr('mmrel.utils.released.package_root', lambda: root)
    features = FeatureExtractor('tiny_shipped', pretrained=True, progress=False)(images)
    assert features.shape == (48, 64)
    whole = FeatureExtractor(config, trained / 'epoch_2.pth', progress=False)(images)
    np.testing.assert_array_equal(features, whole)


def test_only_knn_takes_a_backbone_alone(
    root: Path, trained: Path, images: Path, tmp_path: Path
) -> None:
    _add(root, trained)
    shipped = root / 'zoo/tiny_shipped/model.safetensors'
    with pytest.raises(RuntimeError, match='does not fit LinearClassifier'):
        call('test.py', TINY_LINEAR, shipped, '--work-dir', tmp_path / 'l', *folders(images),
             f'model.backbone.init_cfg.checkpoint={shipped}')  # fmt: skip
    with pytest.raises(RuntimeError, match='does not fit ReSSL'):
        call('train.py', TINY, '--work-dir', tmp_path / 'w', *folders(images),
             f'load_from={shipped}')  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (('--keys', 'neck.=backbone.'), RuntimeError, 'does not fit the backbone'),
        (('--keys', 'bakcbone.='), KeyError, "no key starts with 'bakcbone.'"),
        (('--keys', 'backbone.=', 'teacher.backbone.='), KeyError, 'two keys would become'),
        (('--work-dir', '/'), FileNotFoundError, 'scalars.json'),
    ],
)
def test_what_does_not_fit_is_not_shipped(
    root: Path, trained: Path, arguments: tuple, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        _add(root, trained, *arguments)
    assert not (root / 'zoo').exists()
    assert (root / 'configs/tiny/metafile.yml').read_text() == METAFILE


def test_a_whole_classifier_is_shipped(root: Path, trained: Path, tmp_path: Path) -> None:
    """With the head, in the place of an entry; its result is a work dir's last validation."""
    config = root / 'configs/tiny/other.py'
    config.write_text(f'_base_ = [{str(TINY_LINEAR)!r}]\n')
    model, file = get_model(config), tmp_path / 'linear.pth'
    torch.save(dict(state_dict=model.state_dict()), file)
    call('zoo/add_entry.py', config, file, '--root', root, '--data', 'x', '--command', 'y',
         '--work-dir', trained, '--keys', '=', '--result', 'kNN', 'd', trained, 'z')  # fmt: skip
    shipped = root / 'zoo/other/model.safetensors'
    assert load_checkpoint_file(shipped)['state_dict'].keys() == model.state_dict().keys()
    loaded = get_model(config, shipped).state_dict()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)
    text = (root / 'configs/tiny/metafile.yml').read_text()
    assert 'Epochs: 1  # as it is' in text
    (result,) = yaml.safe_load(text)['Models'][0]['Results']
    last = read_scalars(*find_scalars(trained)).val[-1]
    assert result['Metrics']['Top 1 Accuracy (k = 3)'] == round(last['knn3/top1'], 2)
    assert len(result['Metrics']) == 4


def test_the_zoo_stays_small(root: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = root / 'zoo/other/model.safetensors'
    other.parent.mkdir(parents=True)
    other.write_bytes(bytes(1000))
    monkeypatch.setattr(zoo_files, 'MAX_TOTAL_BYTES', 10**5)
    with pytest.raises(ValueError, match=r'would contain 0\.\d MB of weights, more than 0 MB'):
        _add(root, trained)
    assert [p.name for p in (root / 'zoo').iterdir()] == ['other']
    monkeypatch.setattr(zoo_files, 'MAX_TOTAL_BYTES', 10**6)
    _add(root, trained)


def test_a_config_elsewhere_is_refused(root: Path, trained: Path) -> None:
    with pytest.raises(ValueError, match='must be below a folder with a metafile: configs/tiny'):
        call('zoo/add_entry.py', TINY, trained / 'epoch_2.pth', '--root', root,
             '--data', 'x', '--command', 'y')  # fmt: skip


def test_the_log_is_one_of_json_lines(trained: Path) -> None:
    run = read_scalars(*find_scalars(trained))
    lines = [json.loads(line) for line in log_lines(run).splitlines()]
    assert len(lines) == len(run.train) + len(run.val)
    assert [line['epoch'] for line in lines if 'loss' in line] == [1, 1, 1, 2, 2, 2]
    places = [line.get('epoch', line.get('step')) for line in lines]
    assert places == sorted(places)
