"""The config that trains the network of a path."""

import ast
from pathlib import Path

import pytest
from mmengine.config import Config

from mmrel.search.retraining import find_base, retraining_config
from tests.commands import ROOT
from tests.data.toy_supernet import ToySpace
from tests.search.toy import CODE, PlainSpace


def test_the_retraining_config_is_the_base_with_the_paths_network(tmp_path: Path) -> None:
    space = ToySpace()
    base = find_base('tests/data/tiny_retrain.py')
    assert Path(base).is_absolute()
    for second, widths in (('yes', [6, 14]), ('no', [6])):
        path = dict(second=second, width1=6, width2=14)
        (tmp_path / 'retrain.py').write_text(retraining_config(space, path, base, 'A path.'))
        model = Config.fromfile(tmp_path / 'retrain.py').model
        assert model.backbone == dict(type='ToyMLP', widths=widths, dropout=0.1)
        assert model.head.in_channels == widths[-1]
        assert model.head.loss.type == 'LabelSmoothLoss'
    other = tmp_path / 'other.py'
    other.write_text(
        "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))\n"
    )
    (tmp_path / 'retrain.py').write_text(retraining_config(space, path, str(other), 'A path.'))
    model = Config.fromfile(tmp_path / 'retrain.py').model
    assert model.backbone == dict(type='ToyMLP', widths=[6])
    with pytest.raises(FileNotFoundError, match=r"retrain\.base='none\.py'"):
        find_base('none.py')
    # A file beside the search config comes first.
    (tmp_path / 'tests/data').mkdir(parents=True)
    (tmp_path / 'tests/data/tiny_retrain.py').write_text('')
    beside = find_base('tests/data/tiny_retrain.py', str(tmp_path / 'search.py'))
    assert beside == str((tmp_path / 'tests/data/tiny_retrain.py').resolve())
    assert find_base('configs/_base_/default_runtime.py') == str(
        ROOT / 'configs/_base_/default_runtime.py'
    )


def test_the_retraining_config_is_complete(tmp_path: Path) -> None:
    path = dict(second='no', width1=6, width2=14)
    base = tmp_path / 'base.py'
    base.write_text(
        "_base_ = ['upper.py']\nfrom math import floor\nlr = 0.1\n"
        "custom_imports = dict(imports=['tests.data.toy_supernet', 'json'])\n"
        "model = dict(type='ImageClassifier', init=floor)\n"
        "train_dataloader = dict(sizes=(1, 2), name='it\\'s')\n"
    )
    (tmp_path / 'upper.py').write_text('train_cfg = dict(by_epoch=True, max_epochs=3)\n')
    imports = dict(imports=['json', 'my_space'], allow_failed_imports=False)
    text = retraining_config(ToySpace(), path, str(base), 'A path.', imports)
    base.unlink()
    (tmp_path / 'upper.py').unlink()
    cfg = Config.fromstring(text.replace("'my_space'", "'csv'"), '.py')
    assert str(tmp_path) not in text
    assert cfg.custom_imports == dict(
        imports=['tests.data.toy_supernet', 'json', 'csv'], allow_failed_imports=False
    )
    assert cfg.model.init == 'math.floor'
    assert cfg.model.backbone == dict(type='ToyMLP', widths=[6])
    assert cfg.train_cfg == dict(by_epoch=True, max_epochs=3)
    assert cfg.train_dataloader == dict(sizes=(1, 2), name="it's")


class _Space(PlainSpace):
    def subnet(self, path: dict) -> dict:
        return dict(type='X', name=path['second'])


@pytest.mark.parametrize('text', [CODE, 'x\rimport os', 'x\x0cimport os', 'x\u2028import os'])
def test_hostile_remarks_stay_comments(tmp_path: Path, text: str) -> None:
    base = tmp_path / "it's a base.py"
    base.write_text('model = dict(type="Y")\n')
    path = dict(second='yes', **{f'width{i}': 1 for i in range(6)})
    config = retraining_config(_Space(), path, str(base), text)
    names = [node.targets[0].id for node in ast.parse(config).body]
    assert names == ['model']
    (tmp_path / 'retrain.py').write_text(config)
    assert Config.fromfile(tmp_path / 'retrain.py').model.type == 'X'
