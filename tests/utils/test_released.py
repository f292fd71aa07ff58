"""Released weights are fetched once, read safely, converted and kept."""

import hashlib
import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmrel.apis import FeatureExtractor, get_model, list_models
from mmrel.converters import convert_key
from mmrel.utils import released
from mmrel.utils.download import cache_folder
from mmrel.utils.package import package_root
from mmrel.utils.released import released_weights, zoo_entries
from tests.commands import ROOT

NAME = 'a-model'


def _theirs() -> dict:
    """A file with keys as the authors of ReSSL have them."""
    state = {}
    for side in 'qk':
        net = nn.ModuleDict(dict(conv1=nn.Conv2d(3, 4, 3)))
        head = nn.ModuleDict(dict(linear1=nn.Linear(4, 4), linear2=nn.Linear(4, 2)))
        state |= {f'module.encoder_{side}.net.{k}': v for k, v in net.state_dict().items()}
        state |= {f'module.encoder_{side}.head.{k}': v for k, v in head.state_dict().items()}
    return dict(model=state, epoch=199)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, list]]:
    """A server on loopback: its address, its folder, and the paths that were asked for."""
    folder, asked = tmp_path / 'served', []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{running.server_port}', folder, asked
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of converted files."""
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    return Path(cache_folder()) / 'mmrel'


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Weights of a zoo with one entry."""

    def released_from(address: str, method: str | None = 'ressl', **source: str) -> str:
        entry = {'Name': NAME, 'Weights': address}
        if method:
            entry['Converted From'] = dict(source, Method=method)
        monkeypatch.setattr(released, 'zoo_entries', lambda: {NAME: entry})
        return released_weights(NAME)

    return released_from


def test_a_file_is_fetched_and_converted_once(server: tuple, home: Path, fetch: Callable) -> None:
    address, folder, asked = server
    torch.save(_theirs(), folder / 'ressl-200.pth')
    paths = [fetch(f'{address}/ressl-200.pth') for _ in range(2)]
    assert len(set(paths)) == len(asked) == 1
    assert [str(p) for p in home.iterdir()] == paths[:1]
    content = torch.load(paths[0], weights_only=True)
    assert len(content['state_dict']) == len(_theirs()['model'])
    assert {'backbone.conv1.weight', 'teacher.neck.mlp.0.bias'} <= content['state_dict'].keys()
    assert content['meta']['official_epoch'] == 199
    # By the scheme too, wherever mmengine loads a checkpoint.
    loaded = CheckpointLoader.load_checkpoint(f'mmrel://{NAME}', 'cpu', logger='silent')
    assert loaded['meta'] == content['meta']


def test_two_addresses_with_one_file_name(server: tuple) -> None:
    address, folder, asked = server
    for i, name in enumerate(('one', 'two')):
        (folder / name).mkdir()
        torch.save(dict(x=torch.full((1,), i)), folder / name / 'x.pth')
    for _ in range(2):
        values = [
            CheckpointLoader.load_checkpoint(f'{address}/{n}/x.pth', 'cpu', logger='silent')['x']
            for n in ('one', 'two')
        ]
        assert values == [0, 1]
    assert len(asked) == 2


def test_a_truncated_download_does_not_stay(server: tuple, fetch: Callable) -> None:
    address, folder, _ = server
    torch.save(dict(x=torch.arange(5000.0)), folder / 'x.pth')
    whole = (folder / 'x.pth').read_bytes()
    (folder / 'x.pth').write_bytes(whole[:-100])
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r'damaged or truncated.*by hand'):
            CheckpointLoader.load_checkpoint(f'{address}/x.pth', 'cpu', logger='silent')
    (folder / 'x.pth').write_bytes(whole)
    content = CheckpointLoader.load_checkpoint(f'{address}/x.pth', 'cpu', logger='silent')
    assert content['x'][-1] == 4999


@pytest.mark.parametrize('address', ['{}/no.pth', 'http://127.0.0.1:9/x.pth'])
def test_no_file_and_no_network(server: tuple, home: Path, address: str, fetch: Callable) -> None:
    address = address.format(server[0])
    place = home / f'{NAME}.official.pth'
    with pytest.raises(OSError, match='cannot be downloaded') as caught:
        fetch(address)
    assert len(str(caught.value).splitlines()) == 1
    assert address in str(caught.value)
    assert f'put the file at {place}' in str(caught.value)
    assert not list(home.iterdir())
    # By hand: no network is needed.
    torch.save(_theirs(), place)
    assert Path(fetch(address)).is_file()


QUOTA = b'<!DOCTYPE html><html>Google Drive - Quota exceeded</html>'


@pytest.mark.parametrize(
    ('content', 'reason'),
    [(QUOTA, 'it is a web page'), (b'', 'is empty'), (None, "the checkpoint has no 'model'")],
    ids=['quota page', 'empty', 'another checkpoint'],
)
@pytest.mark.parametrize('by_hand', [False, True])
def test_something_else_than_the_checkpoint(
    server: tuple, home: Path, content: bytes | None, reason: str, by_hand: bool, fetch: Callable
) -> None:
    address, folder, _ = server
    file = folder / 'x.pth'
    torch.save(dict(weights={}), file) if content is None else file.write_bytes(content)
    place = home / f'{NAME}.official.pth'
    if by_hand:
        place.parent.mkdir(parents=True)
        place.write_bytes(file.read_bytes())
    with pytest.raises(RuntimeError, match=reason) as caught:
        fetch(f'{address}/x.pth')
    assert f'{address}/x.pth' in str(caught.value)
    assert str(place) in str(caught.value)
    assert [p for p in home.iterdir() if p.suffix == '.pth'] == ([place] if by_hand else [])


def test_a_changed_file(server: tuple, home: Path, fetch: Callable) -> None:
    address, folder, _ = server
    torch.save(_theirs(), folder / 'x.pth')
    digest = hashlib.sha256((folder / 'x.pth').read_bytes()).hexdigest()
    assert Path(fetch(f'{address}/x.pth', SHA256=digest)).is_file()
    with pytest.raises(RuntimeError, match=f'SHA-256 is {digest}, expected 0000: it has changed'):
        fetch(f'{address}/x.pth', SHA256='0000')


def _fake_gdown(files: dict[str, object]) -> ModuleType:
    """Stands for gdown: writes files instead of downloading them."""
    module = ModuleType('gdown')

    def download(id: str, output: str) -> str:
        torch.save(files[id], output)
        return output

    def download_folder(id: str, output: str) -> None:
        Path(output).mkdir()
        for name, content in files[id].items():
            torch.save(content, f'{output}/{name}')

    module.download, module.download_folder = download, download_folder
    return module


def test_google_drive(home: Path, monkeypatch: pytest.MonkeyPatch, fetch: Callable) -> None:
    drive = 'https://drive.google.com'
    files = dict(abc=_theirs(), one={'x.pth': _theirs()}, two={'x.pth': {}, 'y.pth': {}})
    monkeypatch.setitem(sys.modules, 'gdown', _fake_gdown(files))
    for address in ('uc?id=abc', 'file/d/abc/view', 'drive/folders/one'):
        content = torch.load(fetch(f'{drive}/{address}'), weights_only=True)
        assert 'backbone.conv1.bias' in content['state_dict']
    assert len(list(home.iterdir())) == 3
    with pytest.raises(OSError, match=r'one file, but has 2: x\.pth, y\.pth'):
        fetch(f'{drive}/drive/folders/two')
    monkeypatch.setitem(sys.modules, 'gdown', None)
    with pytest.raises(ImportError, match=r"extra 'gdrive'.*put the file at"):
        fetch(f'{drive}/uc?id=xyz')


def test_a_shipped_file_is_where_the_package_is(fetch: Callable) -> None:
    path = 'zoo/x/model.safetensors'
    assert fetch(path, None) == str(package_root() / path)


RELEASED = 11


def test_the_index_links_what_was_released() -> None:
    linked = [entry for entry in zoo_entries().values() if 'Converted From' in entry]
    assert len(linked) == RELEASED
    assert {entry['Name'] for entry in linked} <= set(list_models(with_pretrained=True))
    for entry in linked:
        assert entry['Converted From']['Code'].startswith('https://github.com/')
        (result,) = entry['Results']
        assert 60 < result['Metrics']['Top 1 Accuracy'] < 90


def test_a_released_network_is_built_by_its_name(home: Path) -> None:
    """The authors' file of ViTAS-A, made of our network under their names."""
    case = json.loads((ROOT / 'tests/data/parity/vitas_858m.json').read_text())
    name = 'vitas-a_8xb128-coslr-300e_in1k'
    ours = get_model(name)
    place = home / f'{name}.official.pth'
    place.parent.mkdir(parents=True)
    state = ours.state_dict()
    theirs = {
        key: state[convert_key('vitas', key).replace('.stems.0.', '.stem.')] for key in case['keys']
    }
    torch.save(dict(model=theirs), place)
    extractor = FeatureExtractor(name, pretrained=True, progress=False)
    for key, value in state.items():
        assert torch.equal(extractor.model.state_dict()[key], value), key
