"""mmengine's own ways to mmrel's configs and models."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.hub import get_model as hub_model
from mmengine.registry import MODELS, DefaultScope

from mmrel.models import WCL
from mmrel.utils import register_all_modules
from mmrel.utils.config_file import read_config
from tests.commands import ROOT, linked

NAME = 'ressl/ressl_demo_digits.py'


@linked
def test_a_config_by_package_and_name() -> None:
    cfg = get_config(f'mmrel::{NAME}')
    assert cfg.model.type == 'ReSSL'


@linked
def test_a_base_by_package_and_name(tmp_path: Path) -> None:
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['mmrel::{NAME}']\nmodel = dict(memory=dict(size=64))\n")
    cfg = Config.fromfile(child)
    # mmengine writes the scope of a foreign base into it.
    assert (cfg.model.type, cfg.model._scope_) == ('ReSSL', 'mmrel')
    assert cfg.model.memory.size == 64
    assert cfg.train_cfg.max_epochs == get_config(f'mmrel::{NAME}').train_cfg.max_epochs


@linked
def test_our_commands_read_such_a_base_like_a_file(tmp_path: Path) -> None:
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['mmrel::{NAME}']\n")
    cfg = read_config(str(child))
    assert '_scope_' not in cfg.pretty_text
    assert cfg.to_dict() == read_config(str(ROOT / 'configs' / NAME)).to_dict()
    # A scope that the config does not have by default is kept.
    child.write_text(f"_base_ = ['mmrel::{NAME}']\ndefault_scope = 'mmseg'\n")
    assert read_config(str(child)).model._scope_ == 'mmrel'


@linked
def test_a_model_of_mmengines_hub() -> None:
    model = hub_model('mmrel::wcl/wcl_resnet18-w16_1xb256-coslr-20e_imagefolder32.py')
    assert isinstance(model, WCL)


@pytest.mark.parametrize('scope', [True, False])
def test_all_modules_are_registered(scope: bool) -> None:
    with DefaultScope.overwrite_default_scope('mmengine'):
        register_all_modules(scope)
    assert MODELS.get('mmrel.SimMatch') is not None
