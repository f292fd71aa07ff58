"""Models by name: what is listed, what is built, what is loaded."""

import copy
import fnmatch
import os
import random
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from torch import Tensor

from mmrel.apis import get_model, list_models, load_config
from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers
from mmrel.registry import MODELS
from mmrel.utils import released as released_module
from mmrel.utils.publish import publish
from tests.commands import ROOT, TINY, TINY_LINEAR
from tests.configs import CONFIGS

PATHS = {path.stem: path for path in CONFIGS}
DIGITS = 'ressl_demo_digits'
LINEAR = 'ressl_resnet18-w16_1xb64-linear-coslr-20e_digits'


def _tiny_ressl(seed: int = 0) -> torch.nn.Module:
    """The model of TINY, built without the zoo; its BN statistics are not the initial ones."""
    torch.manual_seed(seed)
    cfg = Config.fromfile(TINY)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).eval()
    for name, buffer in model.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    return model


@pytest.fixture(scope='module')
def trained() -> torch.nn.Module:
    return _tiny_ressl()


@pytest.fixture(scope='module')
def checkpoint(trained: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('weights') / 'epoch_4.pth'
    torch.save(dict(meta=dict(epoch=4), state_dict=trained.state_dict()), path)
    return path


@pytest.fixture(scope='module')
def published(checkpoint: Path) -> str:
    content = torch.load(checkpoint, weights_only=True)
    return publish(content, str(checkpoint.with_name('tiny.pth')))


def _assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0, msg=key)


def test_every_config_file_is_listed() -> None:
    assert list_models() == sorted(PATHS)


@pytest.mark.parametrize('pattern', ['ressl', 'ressl_*cifar10', '*linear*', 'cifar10', 'x'])
def test_a_pattern_is_of_the_names_beginnings(pattern: str) -> None:
    assert list_models(pattern) == [
        name
        for name in sorted(PATHS)
        if any(fnmatch.fnmatch(name[:end], pattern) for end in range(len(name) + 1))
    ]


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(PATHS))
def test_every_name_is_built(name: str) -> None:
    cfg = Config.fromfile(PATHS[name])
    with_count = copy.deepcopy(cfg)
    complete_numbers(with_count.model, None, lambda: DataNumbers(10))  # where the folder decides
    model = get_model(with_count)
    assert type(model).__name__ == cfg.model.type
    assert not any(module.training for module in model.modules())
    mean = torch.tensor(cfg.data_preprocessor.mean)
    torch.testing.assert_close(model.data_preprocessor.mean.flatten(), mean)


def test_the_type_of_the_training_set_says_the_number_of_its_classes() -> None:
    name = 'simmatch_wrn28-8_1xb64-mu7-1024ki_cifar100-400'
    model = get_model(name, cfg_options={'model.backbone.widen_factor': 1})
    assert model.num_classes == 100
    with pytest.raises(ValueError, match=r'model\.num_classes is not set, and there is no check'):
        get_model('simmatch_resnet18-w16_imagefolder32_4pc')


def test_name_path_and_config_are_the_same(mmrel_scope: None) -> None:
    cfg = Config.fromfile(PATHS[LINEAR])
    before = cfg.dump()
    states = []
    for model in (LINEAR, PATHS[LINEAR], str(PATHS[LINEAR]), cfg):
        torch.manual_seed(0)
        random.seed(0)
        states.append(get_model(model).state_dict())
    for state in states[1:]:
        _assert_equal(state, states[0])
    assert cfg.dump() == before


def test_an_open_checkpoint_does_not_stop_it() -> None:
    model = get_model(LINEAR)
    assert Config.fromfile(PATHS[LINEAR]).model.backbone.init_cfg.checkpoint == ''
    # What else init_cfg says is done: the head's weights are drawn with 0.01.
    assert 0.008 < model.head.fc.weight.std().item() < 0.012


def test_init_cfg_is_followed_without_weights(published: str, trained: torch.nn.Module) -> None:
    """Completely, as in a run: mmengine's own initializer would only warn of a wrong prefix."""
    where = dict(cfg_options={'model.backbone.init_cfg.checkpoint': published})
    backbone = get_model(TINY_LINEAR, **where).backbone
    _assert_equal(backbone.state_dict(), trained.backbone.state_dict())
    where['cfg_options']['model.backbone.init_cfg.prefix'] = 'encoder.'
    with pytest.raises(RuntimeError, match=r'missing in the checkpoint: conv1\.weight'):
        get_model(TINY_LINEAR, **where)


def test_options_change_a_config() -> None:
    model = get_model(DIGITS, cfg_options={'model.backbone.base_channels': 8})
    assert model.backbone.layer1[0].conv1.out_channels == 8
    with pytest.raises(KeyError, match="no section 'modle'"):
        get_model(DIGITS, cfg_options={'modle.backbone.base_channels': 8})


def test_a_training_checkpoint_is_loaded_whole(
    checkpoint: Path, trained: torch.nn.Module, tmp_path: Path
) -> None:
    _assert_equal(get_model(TINY, checkpoint).state_dict(), trained.state_dict())
    # As it is written where a wrapper was around the model.
    wrapped = {f'module.{key}': value for key, value in trained.state_dict().items()}
    torch.save(dict(state_dict=wrapped), tmp_path / 'wrapped.pth')
    _assert_equal(get_model(TINY, tmp_path / 'wrapped.pth').state_dict(), trained.state_dict())


@pytest.mark.parametrize('config', [TINY, TINY_LINEAR])
def test_a_published_backbone_is_loaded_into_any_model(
    config: Path, published: str, trained: torch.nn.Module
) -> None:
    model = get_model(config, pretrained=published)
    _assert_equal(model.backbone.state_dict(), trained.backbone.state_dict())


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('lacks a key', r'does not fit all of.*1 missing in the checkpoint: neck\.mlp\.0\.bias'),
        ('has a key more', r'1 unexpected in the checkpoint: extra\.weight'),
        ('of another shape', r'memory\.queue \(model \(8, 20\), checkpoint \(8, 7\)\)'),
        ('backbone lacks a key', r'does not fit the backbone.*1 missing.*backbone\.conv1\.weight'),
        ('of another model', r'publish_model\.py\) fits every config with that backbone'),
        ('without weights', r'has no weights'),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit(
    trained: torch.nn.Module, tmp_path: Path, kind: str, message: str
) -> None:
    state = dict(trained.state_dict())
    config = TINY
    if kind == 'lacks a key':
        del state['neck.mlp.0.bias']
    elif kind == 'has a key more':
        state['extra.weight'] = torch.zeros(1)
    elif kind == 'of another shape':
        state['memory.queue'] = state['memory.queue'][:, :7]
    elif kind == 'backbone lacks a key':
        state = {k: v for k, v in state.items() if k.startswith('backbone.')}
        del state['backbone.conv1.weight']
    elif kind == 'of another model':
        config = TINY_LINEAR
    else:
        state = {}
    torch.save(dict(state_dict=state), tmp_path / 'odd.pth')
    with pytest.raises(RuntimeError, match=rf'(?s)odd\.pth.*{message}'):
        get_model(config, tmp_path / 'odd.pth')


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_a_checkpoint_with_code_does_not_run_it(tmp_path: Path) -> None:
    sign = tmp_path / 'it-ran'
    torch.save(dict(state_dict={}, meta=_Attack(sign)), tmp_path / 'attack.pth')
    with pytest.raises(RuntimeError, match='could run code'):
        get_model(TINY, tmp_path / 'attack.pth')
    assert not sign.exists()


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (['resl_demo_digit'], ValueError, 'did you mean ressl_demo_digits'),
        (['ressl_demo_digits', True], ValueError, 'ressl_demo_digits has no released weights'),
        (['ressl_demo_digits', 'none.pth'], FileNotFoundError, "'none.pth' does not exist"),
        (['ressl_demo_digits', False, 'gpu9'], ValueError, "device='gpu9' cannot be used"),
        (['nowhere/config.py'], FileNotFoundError, "'nowhere/config.py' does not exist"),
        ([TINY, True], ValueError, 'not in the zoo and has no load_from'),
        ([3], TypeError, 'not int'),
    ],
)
def test_bad_arguments(arguments: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        get_model(*arguments)


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo whose digits model has weights, in a folder of its own."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    shutil.copy2(ROOT / 'model-index.yml', tmp_path)
    metafile = tmp_path / 'configs' / 'ressl' / 'metafile.yml'
    content = yaml.safe_load(metafile.read_text())
    for entry in content['Models']:
        if entry['Name'] == DIGITS:
            entry['Weights'] = 'weights/digits.pth'
    metafile.write_text(yaml.safe_dump(content))
    model = get_model(DIGITS)
    (tmp_path / 'weights').mkdir()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights' / 'digits.pth')
    monkeypatch.setattr(released_module, 'package_root', lambda: tmp_path)
    return tmp_path


def test_released_weights_are_those_of_the_metafile(released: Path) -> None:
    assert DIGITS in list_models(with_pretrained=True)
    assert list_models('resnet', with_pretrained=True) == []
    expected = torch.load(released / 'weights' / 'digits.pth', weights_only=True)['state_dict']
    config = released / 'configs' / 'ressl' / f'{DIGITS}.py'
    for model in (DIGITS, config, Config.fromfile(config)):
        _assert_equal(get_model(model, pretrained=True).state_dict(), expected)


def test_load_from_of_a_config_goes_before_the_metafile(checkpoint: Path) -> None:
    cfg = load_config(str(TINY), dict(load_from=str(checkpoint)))
    expected = torch.load(checkpoint, weights_only=True)['state_dict']
    _assert_equal(get_model(cfg, pretrained=True).state_dict(), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu() -> None:
    model = get_model(DIGITS, device='cuda')
    assert {p.device.type for p in model.parameters()} == {'cuda'}
    assert model.data_preprocessor.mean.device.type == 'cuda'
