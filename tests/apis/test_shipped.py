"""The models that come with mmrel: at once, without a network, and as good as the index says."""

import socket
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mmrel.apis import FeatureExtractor, list_models
from mmrel.apis.zoo_files import MAX_BYTES, MAX_TOTAL_BYTES, read_metrics
from mmrel.utils.metafile import read_index
from tests.commands import ROOT, call

ENTRIES = {
    entry['Name']: entry
    for entries in read_index(ROOT).values()
    for entry in entries
    if str(entry.get('Weights')).startswith('zoo/')
}
TESTED = [
    (name, result)
    for name, entry in ENTRIES.items()
    for result in entry['Results']
    if result['Command'].startswith('python tools/test.py')
]


def test_files_are_small_and_complete() -> None:
    assert ENTRIES
    sizes = [(ROOT / entry['Weights']).stat().st_size for entry in ENTRIES.values()]
    assert max(sizes) <= MAX_BYTES
    assert sum(sizes) <= MAX_TOTAL_BYTES
    for name, entry in ENTRIES.items():
        for file in ('model.safetensors', 'log.json', 'curves.png', 'README.md'):
            assert (ROOT / 'zoo' / name / file).is_file()
        assert entry['Results']
        assert entry['Command'].startswith('python tools/')
        assert all(result['Command'].startswith('python tools/') for result in entry['Results'])


@pytest.mark.parametrize('name', ENTRIES)
def test_features_without_a_network(
    name: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError('it asks for the network')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    assert name in list_models(with_pretrained=True)
    features = FeatureExtractor(name, pretrained=True, progress=False)(images)
    assert len(features) == 21
    again = FeatureExtractor(name, ROOT / ENTRIES[name]['Weights'], progress=False)(images)
    np.testing.assert_array_equal(features, again)
    assert len(np.unique(features, axis=0)) == 21  # not one for all images


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'result'), TESTED, ids=[f'{n}-{r["Task"]}' for n, r in TESTED])
def test_the_command_in_the_index_gives_its_figure(
    name: str, result: dict, real_images: Path, tmp_path: Path
) -> None:
    archive = real_images / 'cifar10_full.tar.gz'
    if not archive.is_file():
        pytest.skip(f'{archive} does not exist')
    (tmp_path / 'data').mkdir()
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / 'data', filter='data')
    (tmp_path / 'data' / 'cifar10_full').rename(tmp_path / 'data' / 'cifar10_folder')
    assert name in result['Command']
    python, tool, *words = result['Command'].split()
    assert (python, tool) == ('python', 'tools/test.py')
    words = [str(ROOT / w) if (ROOT / w).is_file() else w for w in words]
    call('test.py', *words, '--out', tmp_path / 'metrics.json', cwd=tmp_path)
    found = read_metrics(tmp_path / 'metrics.json')
    for metric, value in result['Metrics'].items():
        assert abs(found[metric] - value) <= 0.1, metric
