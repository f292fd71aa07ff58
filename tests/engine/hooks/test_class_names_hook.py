"""With the real commands, data, checkpoint and classifier agree on the classes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmrel.apis import build_runner, get_model, load_config
from mmrel.engine.distributed import unwrap
from mmrel.models.utils.num_classes import model_count
from mmrel.utils import load_checkpoint_file
from tests.commands import (
    TINY_KSHOT,
    TINY_LINEAR,
    TINY_LOWSHOT,
    TINY_SEARCH,
    TINY_SIMMATCH,
    TINY_VITAS,
    call,
)

NAMES = ('class0', 'class1', 'class2')
# The backbone is random, so the classes must differ in color.
OPEN = ('model.backbone.init_cfg=None', 'model.head.num_classes=None')


def _copy(root: Path, target: Path, **names: str) -> Path:
    for name, source in names.items():
        shutil.copytree(root / source, target / name)
    return target


def _data(train: Path, test: Path) -> tuple[str, str]:
    return (
        f'train_dataloader.dataset.data_root={train}',
        f'val_dataloader.dataset.data_root={test}',
    )


def _length(epochs: int) -> list[str]:
    return [
        f'train_cfg.max_epochs={epochs}', f'train_cfg.val_interval={epochs}',
        f'param_scheduler.0.T_max={epochs}', f'param_scheduler.0.end={epochs}',
    ]  # fmt: skip


@pytest.fixture(scope='module')
def rest(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without class0."""
    root = tmp_path_factory.mktemp('rest')
    return _copy(images, root / 'rest', class1='class1', class2='class2')


@pytest.fixture(scope='module')
def other(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a class of another name."""
    root = tmp_path_factory.mktemp('other')
    return _copy(images, root / 'other', class0='class0', class1='class1', zebra='class2')


@pytest.fixture(scope='module')
def trained(images: Path, rest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose config leaves num_classes out, validated on some of the classes."""
    work_dir = tmp_path_factory.mktemp('trained')
    call(
        'train.py', TINY_LINEAR, '--work-dir', work_dir, '--cfg-options', *OPEN,
        *_data(images, rest), *_length(6),
    )  # fmt: skip
    return work_dir / 'epoch_6.pth'


def _test(trained: Path, test: Path, tmp_path: Path, *options: str) -> float:
    """Top-1 without access to the training folder."""
    call(
        'test.py', TINY_LINEAR, trained, '--work-dir', tmp_path / 'test', '--out',
        tmp_path / 'out.json', '--cfg-options', *OPEN, *_data(tmp_path / 'gone', test), *options,
    )  # fmt: skip
    return json.loads((tmp_path / 'out.json').read_text())['accuracy/top1']


def test_a_part_of_the_classes_is_tested_as_in_the_whole(
    images: Path, rest: Path, trained: Path, tmp_path: Path
) -> None:
    content = load_checkpoint_file(trained)
    assert content['state_dict']['head.fc.weight'].shape == (3, 64)
    assert tuple(content['meta']['dataset_meta']['classes']) == NAMES
    first = _copy(images, tmp_path / 'first', class0='class0')
    whole, one, two = (_test(trained, folder, tmp_path) for folder in (images, first, rest))
    assert two > 60
    assert 48 * whole == pytest.approx(16 * one + 32 * two, rel=1e-5)
    (log,) = trained.parent.glob('*/vis_data/scalars.json')
    validated = [json.loads(line) for line in log.read_text().splitlines()][-1]
    assert validated['accuracy/top1'] == pytest.approx(two)


def test_other_classes_are_refused_by_train_test_and_resume(
    images: Path, other: Path, trained: Path, tmp_path: Path
) -> None:
    only = r"only test_dataloader\.dataset: 'zebra'; only the checkpoint: 'class2'"
    with pytest.raises(ValueError, match=only):
        _test(trained, other, tmp_path)
    with pytest.raises(ValueError, match=r"only val_.*: 'zebra'; only the training set: 'class2'"):
        _train(tmp_path, *_data(images, other))
    for how in (['--resume', trained], ['--cfg-options', f'load_from={trained}']):
        with pytest.raises(ValueError, match="only the training set: 'zebra'; only the checkpoint"):
            _train(tmp_path, *_data(other, other), how=how)


def _train(tmp_path: Path, *options: str, how: Any = ('--cfg-options',)) -> None:
    if '--cfg-options' not in how:
        how = [*how, '--cfg-options']
    call(
        'train.py', TINY_LINEAR, '--work-dir', tmp_path / 'train', *how, *OPEN, *options,
        *_length(7),
    )  # fmt: skip


@pytest.mark.parametrize('by_iter', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_training_goes_on_in_the_order_of_the_checkpoint(
    images: Path, trained: Path, tmp_path: Path, by_iter: bool
) -> None:
    """Losses and accuracy do not depend on the order in which a config names its classes."""
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = [{str(TINY_LINEAR)!r}]\n')
    if by_iter:  # its workers start when the loop is built
        config.write_text(
            f'{config.read_text()}train_cfg = dict(_delete_=True, by_epoch=False, max_iters=6, '
            'val_interval=6)\ndefault_hooks = dict(checkpoint=dict(by_epoch=False, interval=6))\n'
            'log_processor = dict(by_epoch=False, custom_cfg=[])\nparam_scheduler = []\n'
        )
    length = [] if by_iter else _length(1)
    logged = []
    for name, classes in (('straight', NAMES), ('turned', NAMES[::-1])):
        stated = '["{}"]'.format('","'.join(classes))
        call(
            'train.py', config, '--work-dir', tmp_path / name, '--cfg-options', *OPEN, *length,
            *_data(images, images), f'load_from={trained}', 'optim_wrapper.optimizer.lr=0.0',
            'default_hooks.logger.interval=2', 'randomness.seed=0',
            f'train_dataloader.num_workers={int(by_iter)}',
            f'train_dataloader.dataset.classes={stated}',
        )  # fmt: skip
        (checkpoint,) = (tmp_path / name).glob('*_[16].pth')
        meta = load_checkpoint_file(checkpoint)['meta']['dataset_meta']
        assert tuple(meta['classes']) == NAMES
        (log,) = (tmp_path / name).glob('*/vis_data/scalars.json')
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        logged.append([row.get('loss', row.get('accuracy/top1')) for row in rows])
    assert len(logged[0]) == 4  # three losses, one validation
    assert logged[1] == pytest.approx(logged[0], rel=1e-5)


CLASSIFIERS = [
    (TINY_LOWSHOT, 'model.head'),
    (TINY_SIMMATCH, 'model'),
    (TINY_VITAS, 'model.space'),
    (TINY_KSHOT, 'model.space'),
    (TINY_SEARCH, 'model.space'),
]


def _options(config: Path, images: Path, tmp_path: Path) -> dict:
    train = 'train_dataloader.dataset'
    options = {'val_dataloader.dataset.data_root': str(images), 'log_level': 'ERROR'}
    if config is TINY_SIMMATCH:
        names = [f'class{c}/{i:03}.jpg\t{c}\tclass{c}\n' for c in range(3) for i in range(4)]
        (tmp_path / 'labels.txt').write_text(''.join(names))
        options[f'{train}.labeled.label_split'] = str(tmp_path / 'labels.txt')
        options |= {f'{train}.{p}.data_root': str(images) for p in ('labeled', 'unlabeled')}
    else:
        options[f'{train}.data_root'] = str(images)
    if config is TINY_LOWSHOT:
        options |= {f'{train}.label_split': None, 'model.backbone.init_cfg': None}
    if config is TINY_VITAS:
        options['data_preprocessor.num_classes'] = None
    return options


@pytest.mark.parametrize(('config', 'part'), CLASSIFIERS, ids=lambda x: getattr(x, 'stem', ''))
def test_the_number_follows_from_the_data_and_a_wrong_one_is_refused(
    config: Path, part: str, images: Path, tmp_path: Path
) -> None:
    options = _options(config, images, tmp_path)
    key = f'{part}.num_classes'
    runner = build_runner(load_config(str(config), {**options, key: None}, str(tmp_path)))
    assert model_count(unwrap(runner.model)) == (key, 3)
    if config is TINY_VITAS:
        assert unwrap(runner.model).data_preprocessor.num_classes == 3  # it mixes images
    # The config in the work dir contains it.
    (dumped,) = tmp_path.glob('*.py')
    assert model_count(get_model(str(dumped))) == (key, 3)
    runner = build_runner(load_config(str(config), {**options, key: 4}, str(tmp_path)))
    with pytest.raises(ValueError, match=rf"{key}=4, but the training set has 3 classes \('class"):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))


def test_held_out_images_of_a_search_are_numbered_as_the_supernet_is(
    images: Path, rest: Path, other: Path, tmp_path: Path
) -> None:
    """If no checkpoint has class names, the training set's are used."""
    options = {'train_dataloader.dataset.data_root': str(images), 'log_level': 'ERROR'}
    runners = [
        build_runner(
            load_config(
                str(TINY_SEARCH),
                {**options, **{f'{part}.dataset.data_root': str(root) for part in parts}},
                str(tmp_path),
            )
        )
        for root, parts in (
            (rest, ('val_dataloader', 'test_dataloader')),
            (other, ('val_dataloader', 'test_dataloader')),
        )
    ]
    images_of_search = runners[0].test_loop.images
    runners[0].call_hook('before_test')
    assert sorted({int(y) for _, labels in images_of_search for y in labels}) == [1, 2]
    _ = runners[1].test_loop
    with pytest.raises(ValueError, match=r"only test_dataloader\.dataset: 'zebra'"):
        runners[1].call_hook('before_test')


def test_numbers_are_compared_where_names_are_not_known(images: Path, tmp_path: Path) -> None:
    """A folder with fewer classes is refused, not guessed; a list of numbers may lack some."""
    (tmp_path / 'list.txt').write_text('class0/000.jpg 0\nclass2/000.jpg 2')
    (tmp_path / 'more.txt').write_text('class0/000.jpg 3')
    test = 'test_dataloader.dataset'
    for options, message in (
        ({f'{test}.ann_file': str(tmp_path / 'list.txt')}, None),
        (
            {f'{test}.ann_file': str(tmp_path / 'more.txt')},
            r'has 4 classes, but the network has 3 out',
        ),
        (
            {'model.space.num_classes': 4},
            r"3 classes \('class0', .*\), but the network has 4 outputs",
        ),
    ):
        cfg = load_config(
            str(TINY_SEARCH),
            {
                'train_dataloader.dataset.data_root': str(tmp_path / 'gone'),
                f'{test}.data_root': str(images),
                'model.space.num_classes': 3,
                'log_level': 'ERROR',
                **options,
            },
            str(tmp_path / 'work'),
        )
        runner = build_runner(cfg)
        _ = runner.test_loop
        if message is None:
            runner.call_hook('before_test')
            continue
        with pytest.raises(ValueError, match=message):
            runner.call_hook('before_test')


def test_initial_weights_of_a_whole_classifier_are_compared_too(
    other: Path, rest: Path, trained: Path, tmp_path: Path
) -> None:
    options = {
        'model.backbone.init_cfg': None,
        'model.init_cfg': dict(type='Pretrained', checkpoint=str(trained)),
        'log_level': 'ERROR',
    }
    data = [dict(part.split('=') for part in _data(root, root)) for root in (other, rest)]
    runner = build_runner(load_config(str(TINY_LINEAR), options | data[0], str(tmp_path)))
    with pytest.raises(ValueError, match="only the training set: 'zebra'; only the checkpoint"):
        runner.train()
    # Training on some of the classes uses the checkpoint's numbers.
    runner = build_runner(load_config(str(TINY_LINEAR), options | data[1], str(tmp_path)))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.call_hook('before_train')
    dataset = runner.train_loop.dataloader.dataset
    assert {dataset.get_data_info(i)['gt_label'] for i in range(len(dataset))} == {1, 2}


def test_a_model_alone_takes_it_from_the_checkpoint(trained: Path) -> None:
    options = {'model.head.num_classes': None, 'model.backbone.init_cfg': None}
    model = get_model(TINY_LINEAR, str(trained), cfg_options=options)
    assert model_count(model) == ('model.head.num_classes', 3)
    with pytest.raises(ValueError, match=r'model\.head\.num_classes is not set.*cfg_options'):
        get_model(TINY_LINEAR, cfg_options=options)
