"""Resuming with changed settings: what is kept, what follows the config, what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmrel.engine.continuation import place
from mmrel.registry import PARAM_SCHEDULERS
from mmrel.utils import load_checkpoint_file
from tests.distributed import run_ranks
from tests.engine.toy_run import ToySet, Watch, toy_runner

_WARM = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, eta_min=0.01, by_epoch=True),
]


def _go(folder: Path, resume: Path | None = None, stop: int | None = None, **changes: Any) -> Watch:
    """Run or resume. Returns the rates and images, and the log as ``said``."""
    watch = Watch(stop)
    if resume is not None:
        changes.update(resume=True, load_from=str(resume))
    runner = toy_runner(folder, watch, **changes)
    watch.said = []
    warn = runner.logger.warning
    runner.logger.warning = lambda text, *args: watch.said.append(text)
    try:
        runner.train()
    finally:
        runner.logger.warning = warn
    watch.runner = runner
    return watch


def _line(watch: Watch) -> str:
    lines = [text for text in watch.said if 'resumed with changes' in text]
    assert len(lines) <= 1
    return lines[0] if lines else ''


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Watch, Path]:
    """A run of four epochs, and its folder."""
    folder = tmp_path_factory.mktemp('unbroken')
    return _go(folder), folder


def test_under_the_same_conditions_nothing_changes(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    whole, folder = unbroken
    rest = _go(tmp_path, folder / 'epoch_2.pth')
    assert (rest.rates, rest.images) == (whole.rates[12:], whole.images[12:])
    assert _line(rest) == ''
    ours, theirs = (load_checkpoint_file(path / 'epoch_4.pth') for path in (tmp_path, folder))
    for part in ('state_dict', 'param_schedulers'):
        assert str(ours[part]) == str(theirs[part])
    assert ours['meta']['run'] == theirs['meta']['run']


@pytest.mark.parametrize('schedule', [None, _WARM], ids=['cosine', 'warm-up by iteration'])
@pytest.mark.parametrize('epochs', [8, 3])
def test_another_length_is_that_run_at_the_same_place(
    tmp_path: Path, schedule: list | None, epochs: int
) -> None:
    own = {} if schedule is None else dict(param_scheduler=schedule)
    _go(tmp_path / 'a', stop=2, **own)
    length = dict(train_cfg=dict(max_epochs=epochs), **own)
    rest = _go(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', **length)
    assert rest.rates == _go(tmp_path / 'c', **length).rates[12:]
    assert len(rest.rates) == 6 * (epochs - 2)
    if schedule is None:
        expected = [
            0.05 * (1 + math.cos(math.pi * i / (6 * epochs))) for i in range(12, 6 * epochs)
        ]
        assert [rate for (rate,) in rest.rates] == pytest.approx(expected)
    assert f'train_cfg.max_epochs 4 -> {epochs}' in _line(rest)
    # Resume once more, now without changes.
    if epochs == 8:
        again = _go(tmp_path / 'd', tmp_path / 'b' / 'epoch_5.pth', **length)
        assert again.rates == rest.rates[18:]
        assert _line(again) == ''


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9,
              weight_decay=1e-4))), 'lr 0.1 -> 0.02'),
        (dict(param_scheduler=_WARM), 'param_scheduler'),
        (dict(param_scheduler=[dict(type='ConstantLR', factor=0.5)]), 'param_scheduler'),
    ],
    ids=['rate', 'schedule', 'kind of schedule'],
)  # fmt: skip
def test_rate_and_schedule_are_the_configs(
    unbroken: tuple[Watch, Path], tmp_path: Path, change: dict, said: str
) -> None:
    rest = _go(tmp_path / 'rest', unbroken[1] / 'epoch_2.pth', **change)
    assert rest.rates == _go(tmp_path / 'whole', **change).rates[12:]
    assert rest.rates != unbroken[0].rates[12:]
    assert said in _line(rest)


def test_other_settings_of_the_optimizer_are_the_configs(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    optimizer = dict(type='SGD', lr=0.1, momentum=0.8, weight_decay=0.01)
    rest = _go(
        tmp_path, unbroken[1] / 'epoch_2.pth', optim_wrapper=dict(optimizer=optimizer), stop=3
    )
    (group,) = rest.runner.optim_wrapper.optimizer.param_groups
    assert (group['momentum'], group['weight_decay']) == (0.8, 0.01)
    assert rest.rates == unbroken[0].rates[12:18]
    assert 'momentum 0.9 -> 0.8, weight_decay 0.0001 -> 0.01' in _line(rest)
    # The optimizer keeps its state.
    saved = load_checkpoint_file(unbroken[1] / 'epoch_2.pth')['optimizer']['state']
    assert saved[0]['momentum_buffer'].abs().sum() > 0


@pytest.mark.parametrize(
    ('change', 'length', 'said'),
    [
        (dict(batch_size=2), 12, 'train_dataloader.batch_size 4 -> 2'),
        (dict(batch_size=8), 3, 'train_dataloader.batch_size 4 -> 8'),
        (dict(dataset=ToySet(40)), 10, 'training images 24 -> 40'),
    ],
)
def test_the_place_is_kept_in_epochs(
    unbroken: tuple[Watch, Path], tmp_path: Path, change: dict, length: int, said: str
) -> None:
    changes = dict(train_dataloader=change, param_scheduler=_WARM)
    rest = _go(tmp_path / 'rest', unbroken[1] / 'epoch_2.pth', **changes)
    whole = _go(tmp_path / 'whole', **changes)
    assert rest.rates == whole.rates[2 * length :]
    assert rest.images == whole.images[2 * length :]
    assert f'epoch 2, iteration {2 * length} (was iteration 12)' in _line(rest)
    assert said in _line(rest)
    meta = load_checkpoint_file(tmp_path / 'rest' / 'epoch_4.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (4, 4 * length)


def _edited(source: Path, target: Path, drop: bool = False, **run: Any) -> Path:
    """A checkpoint with a changed record of its run."""
    content = load_checkpoint_file(source)
    content['meta']['run'].update(run)
    if drop:
        del content['meta']['run']
    content['meta'].update({k: run[k] for k in ('iter',) if k in run})
    torch.save(content, target)
    return target


def test_two_processes_resumed_as_one(unbroken: tuple[Watch, Path], tmp_path: Path) -> None:
    """The global batch is the same, and so is everything else."""
    whole, folder = unbroken
    source = _edited(folder / 'epoch_2.pth', tmp_path / 'two.pth', world_size=2, batch_size=2)
    rest = _go(tmp_path, source)
    assert (rest.rates, rest.images) == (whole.rates[12:], whole.images[12:])
    line = _line(rest)
    assert 'train_dataloader.batch_size 2 -> 4, processes 2 -> 1' in line
    assert 'a global batch size of 4 (4 on 1 process) (unchanged)' in line


def test_accumulation_for_a_smaller_batch_keeps_the_place(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    changes = dict(
        train_dataloader=dict(batch_size=2),
        optim_wrapper=dict(accumulative_counts=2, optimizer=dict(type='SGD', lr=0.1, momentum=0.9,
                                                                 weight_decay=1e-4)),
    )  # fmt: skip
    rest = _go(tmp_path, unbroken[1] / 'epoch_2.pth', **changes)
    assert len(rest.rates) == 24
    # The two iterations of a step have the images of one earlier iteration.
    pairs = [a + b for a, b in zip(rest.images[::2], rest.images[1::2], strict=True)]
    assert pairs == unbroken[0].images[12:]
    assert 'accumulative_counts 1 -> 2' in _line(rest)
    assert '2 iterations per step) (unchanged)' in _line(rest)


@pytest.mark.parametrize(
    ('change', 'run', 'message'),
    [
        (
            dict(randomness=dict(seed=4)),
            {},
            r'randomness\.seed=4, but .* seed 3: set randomness\.seed=3',
        ),
        (
            dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1))),
            {},
            r'optim_wrapper\.optimizer\.type=AdamW, .* of SGD: set .*\.type=SGD',
        ),
        (
            dict(
                optim_wrapper=dict(
                    optimizer=dict(type='SGD', lr=0.1),
                    paramwise_cfg=dict(custom_keys=dict(second=dict(lr_mult=3.0))),
                )
            ),
            {},
            r'the 4 parameter group\(s\) .* restore its optim_wrapper\.paramwise_cfg',
        ),
        ({}, dict(seed='3'), r"the checkpoint is damaged: its meta\['run'\] has no valid seed"),
        (
            dict(train_cfg=dict(by_epoch=False, max_epochs=None, max_iters=24),
                 param_scheduler=[dict(type='CosineAnnealingLR', by_epoch=False)]),
            {},
            r'train_cfg\.by_epoch=False, .*: set train_cfg\.by_epoch=True',
        ),
        (
            dict(train_dataloader=dict(batch_size=2)),
            dict(iter=9),
            r'12 iterations, but 6 .*middle of an epoch: set train_dataloader\.batch_size=4 and',
        ),
    ],
    ids=['seed', 'optimizer', 'groups', 'damaged', 'loop', 'middle of an epoch'],
)  # fmt: skip
def test_what_cannot_go_on_is_refused_with_the_remedy(
    unbroken: tuple[Watch, Path], tmp_path: Path, change: dict, run: dict, message: str
) -> None:
    source = _edited(unbroken[1] / 'epoch_2.pth', tmp_path / 'source.pth', **run)
    with pytest.raises(ValueError, match=message) as error:
        _go(tmp_path, source, **change)
    assert '\n' not in str(error.value)


def test_by_iteration_an_iteration_keeps_its_images(tmp_path: Path) -> None:
    own = dict(
        train_cfg=dict(by_epoch=False, max_epochs=None, max_iters=12),
        param_scheduler=[dict(type='FractionalCosineLR', by_epoch=False)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=100),
            checkpoint=dict(type='CheckpointHook', interval=6, by_epoch=False),
        ),
        train_dataloader=dict(sampler=dict(type='InfiniteSampler', shuffle=True)),
    )
    whole = _go(tmp_path / 'whole', **own)
    middle = tmp_path / 'whole' / 'iter_6.pth'
    assert _go(tmp_path / 'rest', middle, **own).rates == whole.rates[6:]
    longer = dict(own, train_cfg=dict(by_epoch=False, max_epochs=None, max_iters=30))
    rest = _go(tmp_path / 'longer', middle, **longer)
    expected = [0.1 * math.cos(7 / 16 * math.pi * i / 30) for i in range(6, 30)]
    assert [rate for (rate,) in rest.rates] == pytest.approx(expected)
    assert 'train_cfg.max_iters 12 -> 30' in _line(rest)
    own['train_dataloader']['batch_size'] = 8
    with pytest.raises(ValueError, match=r'has 8 images, but 4 .*train_dataloader\.batch_size=4'):
        _go(tmp_path / 'other', middle, **own)
    source = _edited(middle, tmp_path / 'odd.pth', batch_size=5)
    own['train_dataloader']['batch_size'] = 5
    assert len(_go(tmp_path / 'fits', source, **own).rates) == 6


def test_a_drawn_seed_is_taken_over(tmp_path: Path) -> None:
    whole = _go(tmp_path / 'whole', randomness=dict(seed=None))
    rest = _go(tmp_path / 'rest', tmp_path / 'whole' / 'epoch_2.pth', randomness=dict(seed=None))
    assert rest.runner.seed == whole.runner.seed
    assert rest.images == whole.images[12:]


def test_a_checkpoint_of_an_older_version_goes_on_as_it_did(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    whole, folder = unbroken
    source = _edited(folder / 'epoch_2.pth', tmp_path / 'old.pth', drop=True)
    rest = _go(tmp_path, source, train_cfg=dict(max_epochs=5))
    assert rest.rates[:12] == whole.rates[12:]
    (line,) = [text for text in rest.said if 'older version' in text]
    assert str(source) in line
    assert _line(rest) == ''


def test_schedulers_that_were_not_saved_are_placed(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    content = load_checkpoint_file(unbroken[1] / 'epoch_2.pth')
    del content['param_schedulers']
    torch.save(content, tmp_path / 'without.pth')
    rest = _go(tmp_path, tmp_path / 'without.pth')
    assert rest.rates == unbroken[0].rates[12:]


def test_groups_are_placed_as_if_each_went_its_way() -> None:
    def build() -> tuple[list, OptimWrapper]:
        groups = [
            dict(params=[nn.Parameter(torch.zeros(1))], lr=lr, momentum=m, weight_decay=d)
            for lr, m, d in ((0.1, 0.9, 0), (0.2, 0.9, 0), (0.1, 0.9, 0), (0.1, 0.8, 1))
        ]
        wrapper = OptimWrapper(torch.optim.SGD(groups, lr=0.5))
        configs = [
            dict(type='LinearLR', end=5, by_epoch=False),
            dict(type='CosineAnnealingLR', begin=5, end=30, by_epoch=False, eta_min_ratio=0.1),
            dict(type='CosineAnnealingMomentum', eta_min=0.5, end=4),
            dict(type='MultiStepLR', milestones=[2, 3], end=4),
        ]
        args = dict(optimizer=wrapper, epoch_length=7)
        return [PARAM_SCHEDULERS.build(c, default_args=args) for c in configs], wrapper

    placed, ours = build()
    stepped, theirs = build()
    place(placed, ours.param_groups, 23, 7)
    for done in range(1, 24):
        for scheduler in stepped:
            if not scheduler.by_epoch or done % 7 == 0:
                theirs.optimizer._global_step = 0
                scheduler.step()
    for group, other in zip(ours.param_groups, theirs.param_groups, strict=True):
        for key in ('lr', 'momentum', 'initial_lr', 'initial_momentum'):
            assert group[key] == other[key]
    for scheduler, other in zip(placed, stepped, strict=True):
        assert scheduler.state_dict() == other.state_dict()
        assert scheduler.optimizer is ours


_TWO = dict(
    launcher='pytorch',
    env_cfg=dict(dist_cfg=dict(backend='gloo')),
    train_dataloader=dict(batch_size=2),
)


def _on_rank(rank: int, folder: str, single: str) -> dict[str, Any]:
    _go(Path(folder) / 'two', stop=2, **_TWO)
    rest = _go(Path(folder) / 'rest', Path(single), **_TWO)
    return dict(
        rates=torch.tensor(rest.rates),
        images=torch.tensor(rest.images),
        said=_line(rest),
        **rest.runner.model.module.state_dict(),
    )


@pytest.mark.slow
def test_one_process_resumed_as_two_and_two_as_one(
    unbroken: tuple[Watch, Path], tmp_path: Path
) -> None:
    whole, folder = unbroken
    ranks = run_ranks(_on_rank, 2, str(tmp_path), str(folder / 'epoch_2.pth'))
    images = torch.cat([rank['images'] for rank in ranks], dim=1).sort(1).values
    expected = torch.tensor(whole.images[12:]).sort(1).values
    torch.testing.assert_close(images, expected)
    assert 'processes 1 -> 2' in ranks[0]['said']
    rest = _go(tmp_path / 'one', tmp_path / 'two' / 'epoch_2.pth')
    assert (rest.rates, rest.images) == (whole.rates[12:], whole.images[12:])
    assert 'processes 2 -> 1' in _line(rest)
    for key, value in whole.runner.model.state_dict().items():
        torch.testing.assert_close(rest.runner.model.state_dict()[key], value)
        for rank in ranks:
            torch.testing.assert_close(rank[key], value)
    for rank in ranks:
        torch.testing.assert_close(rank['rates'], torch.tensor(whole.rates[12:]))
