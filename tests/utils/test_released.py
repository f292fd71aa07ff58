"""Released weights are fetched once, read safely, converted and kept."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from mmrel.apis import FeatureExtractor, get_model, list_models
from mmrel.apis.zoo import _read_zoo
from mmrel.utils.official import convert_key
from mmrel.utils.package import package_root
from mmrel.utils.released import released_file as _released_file
from mmrel.utils.released import weights_home
from tests.commands import ROOT

NAME = 'a-model'


def released_file(entry: dict) -> str:
    return _released_file(entry, package_root())


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
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    return weights_home()


def _entry(address: str, converted: bool = True) -> dict:
    entry = {'Name': NAME, 'In Collection': 'ReSSL', 'Weights': address}
    return entry | ({'Converted From': dict(Weights=address)} if converted else {})


def test_a_file_is_fetched_and_converted_once(server: tuple, home: Path) -> None:
    address, folder, asked = server
    torch.save(_theirs(), folder / 'ressl-200.pth')
    entry = _entry(f'{address}/ressl-200.pth')
    paths = [released_file(entry) for _ in range(2)]
    assert paths == [str(home / NAME / 'converted.pth')] * 2
    assert len(asked) == 1
    content = torch.load(paths[0], weights_only=True)
    theirs = _theirs()['model']
    assert len(content['state_dict']) == len(theirs)
    assert {'backbone.conv1.weight', 'teacher.neck.mlp.0.bias'} <= content['state_dict'].keys()
    assert content['meta']['official_epoch'] == 199
    assert sorted(p.name for p in (home / NAME).iterdir()) == ['converted.pth', 'released.pth']


def test_two_addresses_with_one_file_name(server: tuple) -> None:
    address, folder, _ = server
    for i, name in enumerate(('one', 'two')):
        (folder / name).mkdir()
        torch.save(dict(state_dict={'backbone.x': torch.full((1,), i)}), folder / name / 'x.pth')
    entries = [dict(_entry(f'{address}/{n}/x.pth', False), Name=n) for n in ('one', 'two')]
    values = [torch.load(released_file(e), weights_only=True)['state_dict'] for e in entries]
    assert [v['backbone.x'].item() for v in values] == [0, 1]


@pytest.mark.parametrize('address', ['{}/no.pth', 'http://127.0.0.1:9/x.pth'])
def test_no_file_and_no_network(server: tuple, home: Path, address: str) -> None:
    address = address.format(server[0])
    place = home / NAME / 'released.pth'
    with pytest.raises(OSError, match='cannot be downloaded') as caught:
        released_file(_entry(address))
    assert len(str(caught.value).splitlines()) == 1
    assert address in str(caught.value)
    assert f'put it at {str(place)!r}' in str(caught.value)
    assert not list((home / NAME).iterdir())
    # By hand: no network is needed.
    torch.save(_theirs(), place)
    assert Path(released_file(_entry(address))).is_file()


QUOTA = b'<!DOCTYPE html><html>Google Drive - Quota exceeded</html>'


@pytest.mark.parametrize(
    ('content', 'reason'),
    [(QUOTA, 'is not a checkpoint'), (b'', 'is empty'), (None, "no 'model' in the checkpoint")],
    ids=['quota page', 'empty', 'another checkpoint'],
)
@pytest.mark.parametrize('by_hand', [False, True])
def test_something_else_than_the_checkpoint(
    server: tuple, home: Path, content: bytes | None, reason: str, by_hand: bool
) -> None:
    address, folder, _ = server
    file = folder / 'x.pth'
    torch.save(dict(weights={}), file) if content is None else file.write_bytes(content)
    place = home / NAME / 'released.pth'
    if by_hand:
        place.parent.mkdir(parents=True)
        place.write_bytes(file.read_bytes())
    with pytest.raises(RuntimeError, match=reason) as caught:
        released_file(_entry(f'{address}/x.pth'))
    assert f'{address}/x.pth' in str(caught.value)
    assert f'put it at {str(place)!r}' in str(caught.value)
    assert place.exists() is by_hand
    assert not (place.parent / 'converted.pth').exists()


def _fake_gdown(files: dict[str, object]) -> ModuleType:
    """Stands for gdown: writes files instead of downloading them."""
    module = ModuleType('gdown')

    def download(id: str, output: str) -> str:
        torch.save(files[id], output)
        return output

    def download_folder(id: str, output: str) -> None:
        for name, content in files[id].items():
            torch.save(content, f'{output}/{name}')

    module.download, module.download_folder = download, download_folder
    return module


def test_google_drive(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = dict(abc=_theirs(), one={'x.pth': _theirs()}, two={'x.pth': {}, 'y.pth': {}})
    monkeypatch.setitem(sys.modules, 'gdown', _fake_gdown(files))
    for name, address in (('file', 'uc?id=abc'), ('folder', 'drive/folders/one')):
        entry = dict(_entry(f'https://drive.google.com/{address}'), Name=name)
        assert 'backbone.conv1.bias' in torch.load(released_file(entry))['state_dict']
    with pytest.raises(OSError, match=r'one checkpoint, it has x\.pth, y\.pth'):
        released_file(_entry('https://drive.google.com/drive/folders/two'))
    monkeypatch.setitem(sys.modules, 'gdown', None)
    with pytest.raises(OSError, match=r"pip install 'mmrel\[gdrive\]'.*put it at"):
        released_file(_entry('https://drive.google.com/uc?id=abc'))


def test_a_shipped_file_is_where_the_package_is() -> None:
    assert released_file(_entry('zoo/x/model.safetensors', False)) == str(
        package_root() / 'zoo/x/model.safetensors'
    )


RELEASED = 11


def test_the_index_links_what_was_released() -> None:
    zoo = _read_zoo(package_root())
    linked = [entry for entry in zoo.values() if 'Converted From' in entry]
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
    place = home / name / 'released.pth'
    place.parent.mkdir(parents=True)
    state = ours.state_dict()
    theirs = {
        key: state[convert_key('vitas', key).replace('.stems.0.', '.stem.')] for key in case['keys']
    }
    torch.save(dict(model=theirs), place)
    extractor = FeatureExtractor(name, pretrained=True, progress=False)
    for key, value in state.items():
        assert torch.equal(extractor.model.state_dict()[key], value), key
