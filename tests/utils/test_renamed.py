"""Former names of configs lead to the new files, with a warning that names them."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import mmrel.search
from mmrel.apis.zoo import config_file
from mmrel.models import utils
from mmrel.search.retraining import find_base
from mmrel.utils.config_file import read_config
from mmrel.utils.renamed import RENAMED, current_name, current_path, with_current_names
from tests.commands import ROOT
from tests.configs import CONFIGS

OLD = 'cellnet-c8_1xb64-coslr-30e_digits'
NEW = f'kshot_{OLD}'
FOLDER = ROOT / 'configs/kshot/retrain'
WARNING = f"config '{OLD}' is now named '{NEW}'; the old name will be removed in version 0.3"


def test_the_table_names_existing_configs() -> None:
    names = {path.stem for path in CONFIGS}
    assert set(RENAMED.values()) <= names
    assert not RENAMED.keys() & names


def test_a_former_name_and_a_former_path_work(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    monkeypatch.setattr('mmrel.utils.renamed.print_log', lambda m, **_: lines.append(m))
    retrain = f'configs/kshot/retrain/{OLD}.py'
    for find in (
        lambda: config_file(OLD),
        lambda: read_config(str(ROOT / retrain)).filename,
        lambda: find_base(retrain),
    ):
        assert find() == str(FOLDER / f'{NEW}.py')
        assert lines.pop() == WARNING
        assert not lines


def test_a_users_own_file_of_that_name_is_read(tmp_path: Path) -> None:
    for name in (f'{OLD}.py', f'{NEW}.py'):
        (tmp_path / name).touch()
    assert current_path(str(tmp_path / f'{OLD}.py')) == str(tmp_path / f'{OLD}.py')
    assert current_path(str(tmp_path / 'other.py')) == str(tmp_path / 'other.py')


def test_a_former_path_as_base_is_an_error_that_names_the_new_file(tmp_path: Path) -> None:
    (tmp_path / 'child.py').write_text(f"_base_ = ['{FOLDER}/{OLD}.py']\n")
    with pytest.raises(FileNotFoundError, match=f"does not exist; it is now named '{NEW}.py'"):
        read_config(str(tmp_path / 'child.py'))


@pytest.mark.parametrize(
    ('module', 'name', 'current'),
    [
        ('mmrel.search', 'FLOPsCost', 'mmrel.spaces.FLOPsCost'),
        ('mmrel.search', 'Path', 'mmrel.spaces.ArchPath'),
        ('mmrel.spaces', 'Path', 'mmrel.spaces.ArchPath'),
        ('mmrel.models.utils', 'build_block', 'mmrel.models.backbones.build_block'),
        ('mmrel.models.utils', 'PretrainedInit', 'mmrel.models.init.PretrainedInit'),
        ('mmrel.utils.official', 'convert_key', 'mmrel.converters.convert_key'),
    ],
)
def test_a_name_that_moved_is_found_with_a_warning(module: str, name: str, current: str) -> None:
    message = f'{module}.{name} is now {current}; the old name will be removed in version 0.3'
    with pytest.warns(DeprecationWarning, match=f'^{re.escape(message)}$') as caught:
        found = getattr(import_module(module), name)
    place, _, new = current.rpartition('.')
    assert found is getattr(import_module(place), new)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_name_that_never_was_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'mmrel.search' has no attribute 'Paths'"):
        mmrel.search.Paths  # noqa: B018


def test_all_names_that_left_models_utils_are_found() -> None:
    for place, names in utils._MOVED.items():
        package = import_module(f'mmrel.models.{place}')
        for name in names:
            assert name in package.__all__
            with pytest.warns(DeprecationWarning, match=f'{name} is now'):
                assert getattr(utils, name) is getattr(package, name)


def test_a_config_that_another_one_replaced_is_refused_with_what_to_do() -> None:
    name = 'kshot-k4_nb201-c8-16px_1xb64-coslr-14e_cifar10'
    new = name.replace('14e', '56e')
    message = f"'{new}'; for its settings, add --cfg-options train_cfg.max_epochs=14 model.sampling"
    for find in (current_name, lambda stem: current_path(f'configs/kshot/ranking/{stem}.py')):
        with pytest.raises(ValueError, match=message):
            find(name)


def test_two_names_of_one_argument_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr('mmrel.utils.renamed.print_log', lambda text, **_: said.append(text))
    names = dict(parts='simplex.parts')
    given = dict(parts=8, simplex=dict(parts=4, interval=2))
    found = with_current_names('KShotNAS', names, given)
    assert found == dict(simplex=dict(parts=8, interval=2))
    assert any('parts=8 of KShotNAS takes precedence over simplex.parts=4' in text for text in said)
    said.clear()
    assert with_current_names('KShotNAS', names, dict(parts=4, simplex=dict(parts=4)))
    assert not any('takes precedence' in text for text in said)
