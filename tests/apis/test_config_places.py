"""Errors of constructors name the place in the config."""

import pytest
from mmengine.config import Config

from mmrel.apis import get_model
from mmrel.apis.config_places import naming_places
from mmrel.apis.options import ConfigKeyError
from tests.commands import TINY


def test_a_section_without_a_type_names_the_keys_of_its_class() -> None:
    with pytest.raises(KeyError) as caught:
        get_model(TINY, cfg_options={'model.teacher.momentun': 0.9})
    assert str(caught.value).startswith(
        'model.teacher.momentun is not a setting of MomentumTeacher; did you mean momentum'
    )


def test_a_missing_key_of_a_part_has_its_place() -> None:
    cfg = Config.fromfile(TINY)
    del cfg.model.neck.out_channels
    with pytest.raises((TypeError, KeyError), match=r'model\.neck.*out_channels'):
        get_model(cfg)


class _Part:
    def __init__(self, width: int, height: int = 1) -> None: ...


def _cfg(**parts: dict) -> Config:
    return Config(dict(model=dict(type='Whole', **parts)))


def test_a_key_that_a_constructor_rejects_has_its_place_and_the_valid_ones() -> None:
    cfg = _cfg(neck=dict(width=1, heigth=2))
    with pytest.raises(ConfigKeyError) as caught, naming_places(cfg):
        _Part(**cfg.model.neck)
    assert str(caught.value) == (
        'model.neck.heigth is not a setting of _Part; did you mean height? valid: height, width'
    )


def test_a_place_that_is_not_clear_is_that_of_the_type() -> None:
    part = dict(type='mmrel._Part', heigth=2)
    message = r"^model\.neck or model\.head: _Part.* got an unexpected keyword argument 'heigth'"
    with pytest.raises(TypeError, match=message), naming_places(_cfg(neck=part, head=part)):
        _Part(width=1, heigth=2)
    part = dict(type=_Part.__name__, height=2)
    with pytest.raises(TypeError, match=r'^model\.neck: _Part.* missing 1 required .*width'):  # noqa: SIM117
        with naming_places(_cfg(neck=part)):
            _Part(height=2)


def test_a_name_that_is_not_registered_has_its_place() -> None:
    said = 'ResNett is not in the mmrel::model registry. Please check ...'
    cfg = _cfg(backbone=dict(type='ResNett'), note='ResNett')
    with pytest.raises(ConfigKeyError) as caught, naming_places(cfg):
        raise KeyError(said)
    assert str(caught.value).startswith(
        "model.backbone.type='ResNett' is not a registered name; did you mean ResNet"
    )
    assert caught.value.__cause__.args == (said,)


@pytest.mark.parametrize(
    'error',
    [
        KeyError('backbone.conv1.weight'),
        KeyError(),
        KeyError('Other is not in the mmrel::model registry'),  # at no place of the config
        ConfigKeyError('ResNet is not in the model registry'),  # has its place already
        TypeError('unsupported operand'),
        TypeError("other() got an unexpected keyword argument 'x'"),
        ValueError('depth=17'),
    ],
)
def test_other_errors_pass_unchanged(error: Exception) -> None:
    with (
        pytest.raises(type(error)) as caught,
        naming_places(_cfg(backbone=dict(type='ResNet', depth=18))),
    ):
        raise error
    assert caught.value is error
