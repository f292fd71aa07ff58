"""torch.compile: what is compiled, when, and that checkpoints and resumes stay as they are."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmrel.apis import build_runner, load_config
from mmrel.datasets import ImageFolder, draw_label_split, format_label_split
from mmrel.engine.compiled import backbones, check_compile
from mmrel.studies.run_difference import training_difference
from mmrel.utils import load_checkpoint_file
from mmrel.visualization import find_scalars, read_scalars
from tests.commands import TINY, TINY_KSHOT, TINY_SIMMATCH, TINY_VITAS, TINY_WCL, call, folders

PARTS = {TINY: [''], TINY_WCL: ['.dataset'], TINY_SIMMATCH: ['.labeled', '.unlabeled']}
# Traces as the default backend does, but runs torch's own kernels: the same results, bit for bit.
TRACED = 'compile.backend=eager'


def _train(images: Path, work_dir: Path, *words: str) -> Path:
    short = 'train_cfg.max_epochs=2'
    call('train.py', TINY, '--work-dir', work_dir, *folders(images), short, *words)
    return work_dir


@pytest.fixture(scope='module')
def eager(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs without torch.compile."""
    return _train(images, tmp_path_factory.mktemp('eager'))


def _losses(work_dir: Path) -> list[float]:
    return [line['loss'] for line in read_scalars(*find_scalars(work_dir)).train]


def test_a_run_has_the_losses_and_checkpoints_of_an_eager_one(
    images: Path, eager: Path, tmp_path: Path
) -> None:
    _train(images, tmp_path, TRACED, '--compile')
    assert training_difference(tmp_path, eager) is None
    # --compile keeps the config's settings.
    assert Config.fromfile(tmp_path / 'tiny.py').compile == dict(backend='eager')


@pytest.mark.slow
@pytest.mark.parametrize('first', [(), (TRACED,)])
def test_a_run_resumes_with_and_without(
    images: Path, eager: Path, tmp_path: Path, first: tuple
) -> None:
    second = () if first else (TRACED,)
    words = ['train.py', TINY, '--work-dir', tmp_path]
    call(*words, *folders(images), 'train_cfg.max_epochs=2', *first)
    (tmp_path / 'epoch_2.pth').unlink()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    call(*words, '--resume', *folders(images), 'train_cfg.max_epochs=2', *second)
    ours, theirs = (load_checkpoint_file(path / 'epoch_2.pth') for path in (tmp_path, eager))
    assert ours['state_dict'].keys() == theirs['state_dict'].keys()
    for key, value in theirs['state_dict'].items():
        assert torch.equal(ours['state_dict'][key], value), key


def _noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    """Whether each compiled call needs gradients, and its batch size."""
    calls: list[tuple[bool, int]] = []

    def backend(graph: Any, _: list[Tensor]) -> Any:
        def run(*inputs: Any) -> Any:
            batch = next(
                x for x in inputs if isinstance(x, Tensor) and x.ndim == 4 and x.shape[-1] > 3
            )
            calls.append((torch.is_grad_enabled(), len(batch)))
            return graph(*inputs)

        return run

    torch._dynamo.reset()
    made = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, 'compile', lambda self, **kwargs: made(self, **dict(kwargs, backend=backend))
    )
    return calls


@pytest.mark.parametrize(
    'config', [TINY, *(pytest.param(c, marks=pytest.mark.slow) for c in (TINY_WCL, TINY_SIMMATCH))]
)
def test_only_training_steps_are_compiled(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    """Student and teacher, and not the kNN between the epochs."""
    calls = _noted(monkeypatch)
    options = {
        f'{place}.data_root': str(images)
        for place in (
            *(f'train_dataloader.dataset{part}' for part in PARTS[config]),
            'val_dataloader.dataset',
        )
    }
    if config == TINY_SIMMATCH:
        drawn = draw_label_split(ImageFolder(data_root=str(images)), 25)
        (tmp_path / 'labels.txt').write_text(format_label_split(drawn, 'for a test'))
        options['train_dataloader.dataset.labeled.label_split'] = str(tmp_path / 'labels.txt')
    cfg = load_config(str(config), options, str(tmp_path))
    cfg.compile = True
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    # The schedules are for more epochs.
    cfg.param_scheduler = None
    cfg.train_dataloader.num_workers = 0
    cfg.custom_hooks = []
    runner = build_runner(cfg)
    runner.train()
    student, teacher = ([size for grad, size in calls if grad is kind] for kind in (True, False))
    views = len(next(iter(runner.train_dataloader))['inputs']) if config == TINY_WCL else 1
    assert runner.iter == len(runner.train_dataloader)
    assert len(student) == views * runner.iter > 0
    assert len(teacher) == (0 if config == TINY_WCL else runner.iter)
    assert set(student + teacher) == {12 if config == TINY_SIMMATCH else 8}


def test_student_and_teacher_are_found() -> None:
    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1), neck=nn.Linear(1, 1)))
    model['teacher'] = nn.ModuleDict(dict(backbone=nn.Linear(1, 1), backbone_like=nn.Linear(1, 1)))
    found = backbones(model)
    assert list(found) == ['backbone', 'teacher.backbone']
    assert found['teacher.backbone'] is model['teacher']['backbone']


@pytest.mark.parametrize('config', [TINY_KSHOT, TINY_VITAS])
def test_supernets_are_refused_before_the_first_step(
    images: Path, tmp_path: Path, config: Path
) -> None:
    message = r'compile=True does not work with \w+: a supernet runs a different path in every step'
    with pytest.raises(ValueError, match=f'{message}.*leave out --compile'):
        call('train.py', config, '--work-dir', tmp_path, '--compile', *folders(images))
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize(
    ('settings', 'model', 'message'),
    [
        ('yes', nn.Identity(), r"compile='yes' must be True, False or a dict"),
        (True, nn.Identity(), r'compile=True compiles the backbone, but Identity has none'),
    ],
)
def test_other_settings_and_models_are_refused(
    settings: object, model: nn.Module, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_compile(settings, model)
    check_compile(False, model)
    check_compile(None, model)


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1)))
    monkeypatch.setattr('mmrel.engine.compiled.get_device', lambda: 'cpu')
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(ValueError, match=r'needs a C\+\+ compiler, but g\+\+ and clang\+\+ cannot'):
        check_compile(True, model)
    monkeypatch.setenv('CXX', '/no/such/compiler')
    with pytest.raises(ValueError, match='but /no/such/compiler cannot be found: install one'):
        check_compile({}, model)
    check_compile(dict(backend='eager'), model)


@pytest.mark.slow
def test_compiled_losses_are_close_to_eager_ones(images: Path, eager: Path, tmp_path: Path) -> None:
    _train(images, tmp_path, '--compile')
    assert _losses(tmp_path) == pytest.approx(_losses(eager), rel=1e-3)
    ours, theirs = (load_checkpoint_file(path / 'epoch_2.pth') for path in (tmp_path, eager))
    assert ours['state_dict'].keys() == theirs['state_dict'].keys()
