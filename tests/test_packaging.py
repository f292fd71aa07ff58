"""What `pip install` without -e puts in place is whole."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mmrel.apis import get_model, list_models
from mmrel.apis.zoo_files import MAX_BYTES, MAX_TOTAL_BYTES
from mmrel.utils.metafile import read_index
from mmrel.version import __version__
from tests.commands import ROOT, TINY, environment, folders
from tests.images import make_folder

# A checkpoint among those of zoo/, of a name that no model has.
SHIPPED = 'a-model/model.safetensors'
FOLDERS = ('configs', 'tools', 'zoo')


def _python(cwd: Path, *arguments: str, path: Path | None = None) -> str:
    env = environment()
    env.pop('PYTHONPATH')
    if path is not None:
        env['PYTHONPATH'] = str(path)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def _files(root: Path) -> dict[str, bytes]:
    """The files below configs/, tools/ and zoo/, and model-index.yml, by their place."""
    paths = [p for folder in FOLDERS for p in (root / folder).rglob('*') if p.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in [*paths, root / 'model-index.yml']
        if '__pycache__' not in path.parts
    }


@pytest.fixture(scope='module')
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source archive, installed: all that a user gets from an index."""
    work = tmp_path_factory.mktemp('package')
    source = work / 'source'
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for folder in (*FOLDERS, 'mmrel', 'requirements'):
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE',
                 'model-index.yml'):  # fmt: skip
        shutil.copy2(ROOT / name, source)
    shipped = source / 'zoo' / SHIPPED
    shipped.parent.mkdir()
    shipped.write_bytes(bytes(10))
    build = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    _python(source, '-c', build)
    (archive,) = (source / 'dist').glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        tar.extractall(work / 'archive', filter='data')
    (extracted,) = (work / 'archive').iterdir()
    # As if an earlier build had left a config that is gone since.
    stale = extracted / 'build' / 'lib' / 'mmrel' / '.mim' / 'configs' / 'gone.py'
    stale.parent.mkdir(parents=True)
    stale.touch()
    _python(
        extracted, '-m', 'pip', 'wheel', '.', '--no-deps', '--no-build-isolation', '--quiet',
        '--no-index', '--wheel-dir', str(work),
    )  # fmt: skip
    (wheel,) = work.glob('*.whl')
    _python(
        work, '-m', 'pip', 'install', str(wheel), '--no-deps', '--no-index', '--quiet',
        '--target', str(work / 'site'),
    )  # fmt: skip
    return work / 'site'


@pytest.mark.slow
def test_wheel_carries_configs_tools_and_checkpoints(unpacked: Path) -> None:
    assert _files(unpacked / 'mmrel' / '.mim') == _files(ROOT) | {f'zoo/{SHIPPED}': bytes(10)}


def test_version_is_the_same_in_every_file() -> None:
    """A development version belongs to an unreleased section of the changelog."""
    final, _, development = __version__.partition('.dev')
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == __version__
    assert ('date-released' in citation) is not bool(development)
    head = next(x for x in (ROOT / 'CHANGELOG.md').read_text().splitlines() if x[:3] == '## ')
    date = 'unreleased' if development else str(citation['date-released'])
    assert head == f'## [{final}] - {date}'


def test_shipped_checkpoints_are_small() -> None:
    """At most 3 MB each and 20 MB together, with all that a folder must have."""
    sizes = []
    for folder in (p for p in (ROOT / 'zoo').iterdir() if p.is_dir()):
        names = sorted(p.name for p in folder.iterdir())
        assert names == ['README.md', 'curves.png', 'log.json', 'model.safetensors']
        sizes.append((folder / 'model.safetensors').stat().st_size)
    assert all(size <= MAX_BYTES for size in sizes)
    assert sum(sizes) <= MAX_TOTAL_BYTES


def test_local_weights_and_logs_of_the_index_exist() -> None:
    entries = {e['Name']: e for part in read_index(ROOT).values() for e in part}
    for name, entry in entries.items():
        for key in ('Weights', 'Training Log'):
            place = entry.get(key)
            if place and '://' not in place:
                assert place.startswith(f'zoo/{name}/'), name
                assert (ROOT / place).is_file(), name
    folders = {p.name for p in (ROOT / 'zoo').iterdir() if p.is_dir()}
    assert folders <= {name for name, entry in entries.items() if entry.get('Weights')}


@pytest.mark.slow
def test_installed_package_builds_models_by_name(unpacked: Path, tmp_path: Path) -> None:
    code = (
        'from mmrel.apis import get_model, list_models\n'
        'from mmrel.utils.package import package_root\n'
        'print(package_root(), *list_models())\n'
        "print(type(get_model('ressl_demo_digits').backbone).__name__)\n"
    )
    # The last two lines: mmpretrain prints one of its own when its data sets are imported.
    *_, first, second = _python(tmp_path, '-c', code, path=unpacked).splitlines()
    assert first.split() == [str(unpacked / 'mmrel' / '.mim'), *list_models()]
    assert second == 'ResNetSmallImage'


@pytest.mark.slow
def test_installed_command_extracts_by_name(unpacked: Path, tmp_path: Path) -> None:
    weights = tmp_path / 'digits.pth'
    torch.save(dict(state_dict=get_model('ressl_demo_digits').state_dict()), weights)
    images = make_folder(tmp_path / 'images', classes=1, each=3)
    _python(
        tmp_path, '-m', 'mmrel.apis.extract', 'ressl_demo_digits', str(images), '--pretrained',
        str(weights), '--out', 'features.npy', path=unpacked,
    )  # fmt: skip
    assert np.load(tmp_path / 'features.npy').shape == (3, 128)


@pytest.mark.slow
def test_installed_mmrel_trains_and_tests(unpacked: Path, images: Path, tmp_path: Path) -> None:
    mmrel = str(unpacked / 'bin' / 'mmrel')
    short = [*folders(images), 'train_cfg.max_epochs=1']
    _python(tmp_path, mmrel, 'train', str(TINY), '--work-dir', 'w', *short, path=unpacked)
    _python(tmp_path, mmrel, 'test', str(TINY), 'w/epoch_1.pth', '--out', 'knn.json', *short,
            path=unpacked)  # fmt: skip
    assert (tmp_path / 'knn.json').is_file()


@pytest.mark.slow
def test_installed_tools_run(unpacked: Path, tmp_path: Path) -> None:
    tool = unpacked / 'mmrel' / '.mim' / 'tools' / 'model_converters' / 'publish_model.py'
    assert 'a training checkpoint' in _python(tmp_path, str(tool), '--help', path=unpacked)
