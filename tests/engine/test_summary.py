"""A run's first lines, compared with what the run then does."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop
from mmengine.runner.loops import calc_dynamic_intervals
from torch.utils.data import ConcatDataset, IterableDataset

from mmrel.apis import get_model
from mmrel.datasets import ImageFolder
from mmrel.engine.summary import _images, _joined, _times
from mmrel.utils.json_lines import read_rows
from tests.commands import (
    TINY,
    TINY_LINEAR,
    TINY_SEARCH,
    TINY_SIMMATCH,
    TINY_SIMMATCH_ITER,
    call,
    folders,
)
from tests.engine.toy_run import toy_runner


def _summary(output: str, name: str) -> list[str]:
    """The summary's lines, without the time."""
    lines = output.splitlines()
    (first,) = (i for i, line in enumerate(lines) if f' - {name}: ' in line)
    end = next(i for i, line in enumerate(lines) if i > first and not line.startswith('  '))
    return [lines[first].partition(' - INFO - ')[2], *map(str.strip, lines[first + 1 : end])]


def _size(config: Path | str, trained: bool = False) -> int:
    parameters = get_model(config).parameters()
    return sum(p.numel() for p in parameters if p.requires_grad or not trained)


@pytest.mark.slow
def test_a_training_does_what_its_first_lines_say(images: Path, tmp_path: Path) -> None:
    options = [*folders(images), 'train_cfg.max_epochs=3']
    output = call('train.py', TINY, '--work-dir', tmp_path, *options)
    total, part = _size(TINY), _size(TINY, trained=True)
    assert part < total / 1.9  # the teacher is not trained
    assert _summary(output, 'tiny') == [
        f'tiny: 48 training images in 3 classes ({images}), '
        f'48 validation images in 3 classes ({images})',
        f'model ReSSL: {total / 1e6:.2f} M parameters ({part / 1e6:.2f} M trained), on cpu',
        '3 epochs of 6 iterations, batch 8 (8 on 1 process); kNN before the first epoch, every 2 '
        f'epochs and after the last epoch; checkpoints every epoch in {tmp_path}',
    ]
    assert output.index('tiny: 48') < output.index('Epoch(')
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line['step'] for line in lines if 'knn3/top1' in line] == [0, 2, 3]
    assert max(line['iter'] for line in lines if 'loss' in line) == 3 * 6
    # The console has the progress, the log file the rest.
    (log,) = tmp_path.glob('*/*.log')
    for text in ('Exp name: ', 'Checkpoints will be saved to '):
        assert text not in output
        assert text in log.read_text()

    # A resumed run does not validate before its first epoch.
    output = call('train.py', TINY, '--work-dir', tmp_path, '--resume', *folders(images))
    assert _summary(output, 'tiny')[2].startswith(
        '4 epochs of 6 iterations, batch 8 (8 on 1 process); kNN every 2 epochs; checkpoints every '
    )
    output = call('test.py', TINY, tmp_path / 'epoch_3.pth', '--work-dir', tmp_path, *options)
    assert _summary(output, 'tiny') == [
        f'tiny: 48 test images in 3 classes ({images})',
        f'model ReSSL: {total / 1e6:.2f} M parameters, on cpu',
        'kNN among 48 labeled images',
    ]


def test_a_run_without_labels(images: Path, tmp_path: Path) -> None:
    output = call(
        'train.py', TINY, '--work-dir', tmp_path, *folders(images)[:2],
        'train_dataloader.dataset.with_label=False', 'val_dataloader=None', 'val_evaluator=None',
        'val_cfg=None', 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=5',
    )  # fmt: skip
    first, _, last = _summary(output, 'tiny')
    assert first == f'tiny: 48 training images ({images})'
    assert last == (
        '1 epoch of 6 iterations, batch 8 (8 on 1 process); no validation; checkpoints after the '
        f'last epoch in {tmp_path}'
    )
    assert [file.name for file in tmp_path.glob('*.pth')] == ['epoch_1.pth']


@pytest.mark.parametrize('config', [TINY_SIMMATCH, TINY_SIMMATCH_ITER], ids=lambda c: c.stem)
def test_labeled_and_unlabeled_images(images: Path, tmp_path: Path, config: Path) -> None:
    data, labels = 'train_dataloader.dataset', tmp_path / 'labels.txt'
    options = [
        '--cfg-options', f'{data}.labeled.data_root={images}',
        f'{data}.labeled.label_split={labels}', f'{data}.unlabeled.data_root={images}',
        f'val_dataloader.dataset.data_root={images}',
    ]  # fmt: skip
    call('dataset_converters/make_label_split.py', config, '--per-class', 4, *options)
    output = call('train.py', config, '--work-dir', tmp_path, *options)
    first, _, last = _summary(output, config.stem)
    assert first == (
        f'{config.stem}: 12 labeled and 48 unlabeled training images in 3 classes ({images}), '
        f'48 validation images in 3 classes ({images})'
    )
    # 4 labeled and 8 unlabeled images a batch.
    if config == TINY_SIMMATCH:
        plan = '4 epochs of 6 iterations', 'epoch and every 2 epochs', 'every epoch'
    else:
        plan = '14 iterations', 'iteration and every 7 iterations', 'every 7 iterations'
    assert last == (
        f'{plan[0]}, batch 12 (12 on 1 process); validation before the first {plan[1]}; '
        f'checkpoints {plan[2]} in {tmp_path}'
    )


def test_only_the_linear_classifier_is_trained(images: Path, tmp_path: Path) -> None:
    torch.save(dict(state_dict=get_model(TINY).state_dict(), meta={}), tmp_path / 'tiny.pth')
    output = call(
        'train.py', TINY_LINEAR, '--work-dir', tmp_path, *folders(images),
        f'model.backbone.init_cfg.checkpoint={tmp_path / "tiny.pth"}', 'train_cfg.max_epochs=1',
    )  # fmt: skip
    width, classes = 64, 3
    assert f' parameters ({(width + 1) * classes} trained), on cpu' in output


@pytest.mark.slow
def test_a_search_scores_as_many_paths_as_it_says(images: Path, tmp_path: Path) -> None:
    options = [*folders(images), f'test_dataloader.dataset.data_root={images}']
    call('train.py', TINY_SEARCH, '--work-dir', tmp_path / 'supernet', *options)
    options += ['test_cfg.population=3', 'test_cfg.generations=2']
    supernet = tmp_path / 'supernet' / 'epoch_4.pth'
    output = call('search.py', TINY_SEARCH, supernet, '--work-dir', tmp_path, *options)
    # Linear layers from 48 to 16, 16 and 3.
    size = sum((inputs + 1) * outputs for inputs, outputs in pairwise((48, 16, 16, 3)))
    assert _summary(output, 'tiny_search') == [
        f'tiny_search: 48 held-out images in 3 classes ({images})',
        f'model ToySupernet: {size:,} parameters, on cpu',
        'up to 6 paths will be scored: 2 generations of 3, 200 <= flops <= 800',
    ]
    assert len(read_rows(str(tmp_path / 'paths.jsonl'))) == 2 * 3


@pytest.mark.parametrize(
    ('interval', 'begin', 'dynamic', 'text'),
    [
        (1, 1, None, 'validation every epoch'),
        (5, 1, None, 'validation every 5 epochs'),
        (3, 1, None, 'validation every 3 epochs and after the last epoch'),
        (20, 1, None, 'validation after the last epoch'),
        (50, 1, None, 'validation after the last epoch'),
        (2, 9, None, 'validation every 2 epochs from epoch 9'),
        (2, 21, None, 'validation'),
        (5, 1, [(16, 1)], 'validation every 5 epochs and every epoch from epoch 16'),
        (5, 1, [(12, 3)],
         'validation every 5 epochs, every 3 epochs from epoch 12 and after the last epoch'),
    ],
)  # fmt: skip
def test_intervals(interval: int, begin: int, dynamic: list | None, text: str) -> None:
    length = 20
    starts, intervals = calc_dynamic_intervals(interval, dynamic)
    starts = [max(begin, start) for start in starts]
    assert _joined('validation', _times(starts, intervals, length, 'epoch')) == text
    # The epochs that mmengine validates after, by its own rule.
    loop = SimpleNamespace(dynamic_milestones=[0] + [m for m, _ in dynamic or []],
                           dynamic_intervals=intervals)  # fmt: skip
    validated = []
    for loop.epoch in range(1, length + 1):
        EpochBasedTrainLoop._decide_current_val_interval(loop)
        if loop.epoch >= begin and (loop.epoch % loop.val_interval == 0 or loop.epoch == length):
            validated.append(loop.epoch)
    assert bool(validated) == (text != 'validation')
    assert ('after the last' in text) == (
        bool(validated) and (len(validated) == 1 or length % intervals[-1] != 0)
    )
    if len(validated) > 1:
        early = {b - a for a, b in pairwise(validated) if b < (dynamic or [(length, 0)])[0][0]}
        assert early == {interval}


def test_images_of_any_data_set(images: Path, tmp_path: Path) -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            yield 0

    labeled = ImageFolder(data_root=str(images))
    unlabeled = ImageFolder(data_root=str(images), with_label=False)
    assert _images(labeled, 'test') == f'48 test images in 3 classes ({images})'
    assert _images(unlabeled, 'test') == f'48 test images ({images})'
    assert _images(ConcatDataset([unlabeled] * 2), 'test') == f'96 test images ({images})'
    assert _images([0], 'test') == '1 test image'
    assert _images(Stream(), 'training') == 'training images'
    # STL-10's unlabeled images have class -1.
    labeled.get_data_info = lambda index: dict(gt_label=-1)
    assert _images(labeled, 'test') == f'48 test images ({images})'


def test_only_rank_0_and_any_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_runner(tmp_path / 'a').train()
    assert (
        'config: 24 training images\n  model ToyModel: 13 parameters (all trained), on cpu\n'
        in (capsys.readouterr().out)
    )
    monkeypatch.setattr('mmrel.engine.summary.is_main_process', lambda: False)
    toy_runner(tmp_path / 'b').train()
    assert 'ToyModel' not in capsys.readouterr().out
