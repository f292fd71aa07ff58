"""Which schedules follow a run's length, and what is refused or logged if they do not."""

import logging
import math
import re
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmrel.apis import load_config
from mmrel.engine.loaders import batch_size_of
from mmrel.engine.schedule import mismatches, run_length, spans
from tests.commands import TINY, TINY_SIMMATCH, TINY_SIMMATCH_ITER
from tests.configs import CONFIGS, ROOT
from tests.engine.toy_run import toy_runner

# As published: warm-up, length, final value of the cosine. The first match applies.
SCHEDULES = {
    'kshot/retrain/*in1k': '5:1e-3 120',
    'kshot/retrain/*16px*cifar10': '0 6',
    'kshot/retrain/*cifar10': '0 10',
    'kshot/retrain/*': '0 30',
    'kshot/*nb201*16px*': '0 56 0.001',
    'kshot/*macro*16px*': '0 14 0.001',
    'kshot/*digits': '0 20',
    'kshot/*in1k': '0 120',
    'kshot/*cifar10': '0 8',
    'kshot/*': '0 60',
    'lowshot/*linear*': '0 100',
    'lowshot/*': '0 20',
    'ressl/benchmarks/*digits': '0 20',
    'ressl/benchmarks/*': '0 100',
    'ressl/*200e*': '5:1e-4 200',
    'ressl/*60e*': '0 60',
    'ressl/*400e_photos': '0 400',
    'ressl/*': '0 20',
    'simmatch/*classifier*': '5:1e-4 195',
    'simmatch/simmatch_resnet18*6e_cifar10*': '1:1e-4 6',
    'simmatch/simmatch_resnet18*': '1:1e-4 40',
    'simmatch/simmatch_resnet50*': '5:1e-4 400 by epoch',
    'simmatch/*1024ki*': '0 1048576 fractional',
    'simmatch/simmatch_supervised*25pc': '5:1e-4 195',
    'simmatch/simmatch_supervised*4pc': '26:1e-4 1040',
    'vitas/ranking/vitas-24px*': '1:1e-3 10 1e-5',
    'vitas/ranking/*': '5:1e-3 40 1e-5',
    'vitas/vitas-small*cifar10': '5:1e-3 20 1e-5',
    'vitas/vitas_retrain_small*': '5:1e-3 50 1e-5',
    'vitas/*small*cifar10': '2:1e-3 12 1e-5',
    'vitas/*small*': '5:1e-3 100 1e-5',
    'vitas/*': '5:1e-3 300 1e-5',
    'wcl/benchmarks/*': '0 80',
    'wcl/*20e*': '2:1e-4 20',
    'wcl/*100e*': '10:1e-4 100',
    'wcl/*200e*': '10:1e-4 200',
    'wcl/*800e*': '10:1e-4 800',
}


def _built(cfg: Config, epoch_length: int = 7) -> tuple[list, OptimWrapper]:
    """The schedulers as mmengine's Runner builds them, and their optimizer."""
    wrapper = OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0))
    key, length = run_length(cfg.train_cfg)
    by_epoch = key == 'max_epochs'
    runner = SimpleNamespace(
        _train_loop=object.__new__(EpochBasedTrainLoop),
        max_epochs=length if by_epoch else 1,
        max_iters=length * epoch_length if by_epoch else length,
        train_dataloader=range(epoch_length),
        logger=logging.getLogger('nothing'),
    )
    return Runner._build_param_scheduler(runner, cfg.param_scheduler, wrapper), wrapper


def _published(config: Path) -> str:
    name = str(config.relative_to(ROOT).with_suffix(''))
    return next(text for pattern, text in SCHEDULES.items() if fnmatch(name, pattern))


def test_published_schedules_and_batches(mmrel_scope: None) -> None:
    epoch = 7
    for config in CONFIGS:
        cfg = Config.fromfile(config)
        *warmups, last = _built(cfg, epoch)[0]
        first, length, *rest = _published(config).split()
        warm, _, factor = first.partition(':')
        warm, length = int(warm), int(length)
        assert run_length(cfg.train_cfg)[1] == length, config
        assert (len(warmups), last.param_name) == (bool(warm), 'lr'), config
        for warmup in warmups:
            found = (warmup.begin, warmup.end, warmup.by_epoch, warmup.start_factor)
            assert found == (0, warm * epoch, False, float(factor)), config
        unit = 1 if rest in (['by', 'epoch'], ['fractional']) else epoch
        assert (last.begin, last.end) == (warm * unit, length * unit), config
        assert last.T_max == (length - warm) * unit, config
        assert last.by_epoch is (rest == ['by', 'epoch']), config
        if rest == ['fractional']:
            assert last.cycles == 7 / 16
        elif rest[:1] != ['by']:
            assert last.eta_min == (float(rest[0]) if rest else 0), config
        # The learning rate is for the batch in the name: processes times batch size.
        processes = re.search(r'_(\d+)xb\d', config.stem)
        if processes:
            base = cfg.auto_scale_lr.base_batch_size
            assert int(processes[1]) * batch_size_of(cfg.train_dataloader) == base, config


@pytest.mark.parametrize(
    ('config', 'warm', 'start', 'end'),
    [
        ('ressl/ressl_resnet18_1xb256-coslr-200e_cifar10.py', 5, 1e-4, 0.0),
        ('vitas/vitas_supernet_small_digits.py', 5, 1e-3, 1e-5),
        ('lowshot/lowshot_resnet18_1xb64-finetune-10pct-coslr-20e_cifar10.py', 0, 0, 0.0),
    ],
)
def test_one_option_moves_the_whole_schedule(
    config: str, warm: int, start: float, end: float, mmrel_scope: None
) -> None:
    epoch, length = 7, 12
    cfg = load_config(str(ROOT / config), {'train_cfg.max_epochs': length})
    schedulers, wrapper = _built(cfg, epoch)
    for i in range(epoch * length):
        done = (i - warm * epoch) / ((length - warm) * epoch)
        if done < 0:
            expected = start + (1 - start) * i / (warm * epoch - 1)
        else:
            expected = end + (1 - end) * (1 + math.cos(math.pi * done)) / 2
        assert wrapper.param_groups[0]['lr'] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        for scheduler in schedulers:
            scheduler.step()


def test_by_iteration_the_schedule_follows_too(mmrel_scope: None) -> None:
    cfg = load_config(str(TINY_SIMMATCH_ITER), {'train_cfg.max_iters': 30})
    (scheduler,), wrapper = _built(cfg)
    for i in range(30):
        expected = math.cos(7 / 16 * math.pi * i / 30)
        assert wrapper.param_groups[0]['lr'] == pytest.approx(expected)
        scheduler.step()


def _own(folder: Path, schedule: str, base: Path = TINY) -> str:
    config = folder / 'own.py'
    config.write_text(f"_base_ = ['{base}']\nparam_scheduler = {schedule}\n")
    return str(config)


_FIXED = "[dict(type='CosineAnnealingLR', T_max=4, end=4, convert_to_iter_based=True)]"


def test_a_length_that_the_schedule_does_not_follow_is_refused(tmp_path: Path) -> None:
    config, option = _own(tmp_path, _FIXED), {'train_cfg.max_epochs': 10}
    for options in (option, {'train_cfg': dict(max_epochs=10)}):
        with pytest.raises(ValueError, match='changes only the length') as error:
            load_config(config, options)
        text = str(error.value)
        assert '(param_scheduler.0.T_max=4, param_scheduler.0.end=4)' in text
        assert text.endswith('add param_scheduler.0.T_max=10 param_scheduler.0.end=10')
        assert '\n' not in text
    remedy = {'param_scheduler.0.T_max': 10, 'param_scheduler.0.end': 10}
    assert load_config(config, {**option, **remedy}).train_cfg.max_epochs == 10
    # Intended: the schedule's own key is set.
    assert load_config(config, {**option, 'param_scheduler.0.end': 4})
    assert load_config(config, {'train_cfg.val_interval': 2})


@pytest.mark.parametrize(
    ('schedule', 'wrong'),
    [
        (_FIXED, {'param_scheduler.0.T_max': (4, '10'), 'param_scheduler.0.end': (4, '10')}),
        ("[dict(type='CosineAnnealingLR', T_max=4)]", {'param_scheduler.0.T_max': (4, '10')}),
        ("dict(type='CosineAnnealingLR')", {}),
        ("[dict(type='CosineAnnealingLR', T_max=5, end=5), dict(type='ConstantLR', begin=5)]", {}),
        (
            "[dict(type='LinearLR', end=5), dict(type='CosineAnnealingLR', begin=5, T_max=10)]",
            {'param_scheduler.1.T_max': (10, '5')},
        ),
        (
            "[dict(type='MultiStepLR', milestones=[3, 12])]",
            {'param_scheduler.0.milestones': ([3, 12], 'below 10')},
        ),
        # Learning rate and momentum each have an end, and so do two optimizers.
        (
            "[dict(type='CosineAnnealingLR'), dict(type='CosineAnnealingMomentum', end=6)]",
            {'param_scheduler.1.end': (6, '10')},
        ),
        (
            "dict(weights=[dict(type='PolyLR')], simplex_net=[dict(type='PolyLR', end=20)])",
            {'param_scheduler.simplex_net.0.end': (20, '10')},
        ),
        # In iterations; an epoch has 6.
        (
            "[dict(type='CosineAnnealingLR', by_epoch=False, T_max=50, end=60)]",
            {'param_scheduler.0.T_max': (50, '60')},
        ),
    ],
)
def test_keys_that_do_not_fit_the_length(schedule: str, wrong: dict) -> None:
    cfg = dict(train_cfg=dict(by_epoch=True, max_epochs=10), param_scheduler=eval(schedule))
    assert mismatches(spans(cfg, epoch_length=6), 10) == wrong


def _said(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a run logs before and during training."""
    said: list[str] = []
    for level in ('info', 'warning'):
        monkeypatch.setattr(runner.logger, level, lambda text, *_, **__: said.append(text))
    runner.train()
    return said


def test_a_schedule_that_ends_early_is_said_and_one_that_fits_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = [dict(type='CosineAnnealingLR', T_max=2, end=2, convert_to_iter_based=True)]
    said = _said(toy_runner(tmp_path / 'early', param_scheduler=early), monkeypatch)
    (line,) = [text for text in said if 'does not end with' in text]
    assert 'train_cfg.max_epochs=4: param_scheduler.0.T_max=2, param_scheduler.0.end=2;' in line
    assert not [
        t for t in _said(toy_runner(tmp_path / 'fits'), monkeypatch) if 'does not end with' in t
    ]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'train_cfg.max_epochs': 1}, r'param_scheduler\.1\.begin=1 .*max_epochs=1'),
        (
            {'train_cfg.max_epochs': 3, 'param_scheduler.0.end': 5},
            r'param_scheduler\.0\.end=5 .*longer than the run, train_cfg\.max_epochs=3',
        ),
    ],
)
def test_a_warm_up_of_the_rate_that_is_too_long_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(str(TINY_SIMMATCH), options)


def test_schedulers_in_the_wrong_order_or_unit_are_refused(tmp_path: Path) -> None:
    linear = dict(type='LinearLR', begin=3, end=2, convert_to_iter_based=True)
    with pytest.raises(ValueError, match=r'param_scheduler\.0\.begin=3 is not before .*end=2'):
        toy_runner(tmp_path, param_scheduler=[linear]).train()
    with pytest.raises(ValueError, match=r'param_scheduler\.0 \(CosineAnnealingLR\) counts epochs'):
        toy_runner(tmp_path, train_cfg=dict(by_epoch=False, max_iters=9, max_epochs=None)).train()


class _Warmup(nn.Module):
    warmup_keys = ('epochs', 'length.iters')

    def __init__(self, epochs: float | None = None, iters: int | None = None) -> None:
        super().__init__()
        self.epochs, self.length = epochs, SimpleNamespace(iters=iters)


class SwitchRecipeHook(Hook):
    """Stands in for mmpretrain's, whose epochs count from 1."""

    def __init__(self, epoch: int) -> None:
        self.schedule = {epoch: {}}


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        (_Warmup(epochs=5), r'^model\.warmup\.epochs=5 is longer than the run of 4,'),
        (_Warmup(iters=25), r'^model\.warmup\.length\.iters=25 is longer than the run of 24'),
        (SwitchRecipeHook(5), r'schedule\.0\.action_epoch=5 is longer than the run of 4'),
        (_Warmup(epochs=4), None),
        (_Warmup(iters=7), None),
        (SwitchRecipeHook(4), None),
    ],
)
def test_fixed_lengths_are_said_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: object, message: str | None
) -> None:
    hooks = [part] if isinstance(part, Hook) else []
    runner = toy_runner(tmp_path, custom_hooks=hooks)
    if not hooks:
        runner.model.warmup = part
    if message is not None:
        with pytest.raises(ValueError, match=message):
            runner.train()
        return
    (line,) = [t for t in _said(runner, monkeypatch) if 'do not follow' in t]
    assert 'max_epochs=4' in line
    assert any(f'={number}' in line for number in (4, 7))


def test_the_methods_that_have_a_warm_up_name_it(mmrel_scope: None) -> None:
    from mmrel.models.algorithms import KShotNAS
    from mmrel.models.heads import InfoNCEWarmup, SimilarityMatchingHead

    assert InfoNCEWarmup(3).warmup_keys == ('epochs', 'iters')
    keys = ('warmup.epochs', 'warmup.iters')
    assert SimilarityMatchingHead.warmup_keys == KShotNAS.warmup_keys == keys


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(val_begin=9), 'train_cfg.val_begin=9 is after the end of the run'),
        (dict(val_interval=9), 'train_cfg.val_interval=9 is longer than the run'),
        (dict(val_interval=4), None),
    ],
)
def test_a_validation_that_never_comes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict, message: str | None
) -> None:
    class Nothing:
        metrics = ()
        dataset_meta = None

        def process(self, **_: object) -> None: ...

        def evaluate(self, size: int) -> dict:
            return {}

    runner = toy_runner(tmp_path, train_cfg=change)
    ran: list[int] = []
    runner._val_loop = None
    said: list[str] = []
    for level in ('info', 'warning'):
        monkeypatch.setattr(runner.logger, level, lambda text, *_, **__: said.append(text))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = SimpleNamespace(run=lambda: ran.append(1))
    from mmrel.engine.schedule import check_run

    check_run(runner)
    found = [text for text in said if 'valid' in text]
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'train_cfg.max_epochs': 'many'}, r"train_cfg\.max_epochs='many' must be a whole number"),
        ({'train_cfg.max_epochs': 0}, r'train_cfg\.max_epochs=0 must be a whole number'),
        ({'train_cfg.max_epochs': 2.5}, r'train_cfg\.max_epochs=2\.5 must be a whole number'),
        (
            {'train_cfg.max_epochs': 9, 'param_scheduler.0.end': 'last'},
            r"param_scheduler\.0\.end='last' must be a number",
        ),
    ],
)
def test_lengths_that_are_not_numbers(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(str(TINY), options)
