"""kNN compares the classes of bank and queries by name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmrel.apis import build_runner, load_config, test_from_val
from mmrel.datasets import SeededDraws
from mmrel.datasets.batched_views import BatchedViews
from mmrel.datasets.class_names import class_names
from mmrel.engine.runner import Runner
from tests.commands import TINY

# Not a test, in spite of its name.
test_from_val.__test__ = False


def _copy(root: Path, target: Path, *names: str) -> Path:
    for name in names:
        shutil.copytree(root / name, target / name)
    return target


def _runner(bank: Path, queries: Path, work_dir: Path, **options) -> Runner:
    """The untrained network of TINY, the same in each call."""
    torch.manual_seed(0)
    cfg = load_config(
        str(TINY),
        {
            'train_dataloader.dataset.data_root': str(bank),
            'val_dataloader.dataset.data_root': str(queries),
            'val_cfg.k': (3,),
            'log_level': 'ERROR',
            'randomness.seed': 0,
            **options,
        },
        str(work_dir),
    )
    test_from_val(cfg)
    return build_runner(cfg)


def test_queries_that_lack_a_class_have_the_scores_of_the_whole(
    images: Path, tmp_path: Path
) -> None:
    """Folders score alone as they do together: numbered alone, class1 and class2 are 0 and 1."""
    rest = _copy(images, tmp_path / 'rest', 'class1', 'class2')
    first = _copy(images, tmp_path / 'first', 'class0')
    top1 = []
    for queries in (images, first, rest):
        runner = _runner(images, queries, tmp_path / 'work')
        top1.append(runner.test()['knn3/top1'])
        loop = runner.test_loop
        assert class_names(loop.dataloader.dataset) == ('class0', 'class1', 'class2')
        assert loop.evaluator.dataset_meta['classes'] == loop.classes
    assert top1[0] > 50  # each class has a color
    assert 48 * top1[0] == pytest.approx(16 * top1[1] + 32 * top1[2], rel=1e-5)


def test_a_bank_of_several_folders(images: Path, tmp_path: Path) -> None:
    """All parts of a concatenated training set form the bank, with the queries' pipeline."""
    part = dict(load_config(str(TINY)).train_dataloader.dataset, data_root=str(images))
    both = dict(_delete_=True, type='ConcatDataset', datasets=[part, part])
    cfg = load_config(str(TINY), {'train_dataloader.dataset': both}, str(tmp_path))
    cfg.val_dataloader.dataset.data_root = str(images)
    test_from_val(cfg)
    runner = build_runner(cfg)
    assert runner.test()['knn3/top1'] > 50  # each class has a color
    loop = runner.test_loop
    bank = loop.bank_dataloader.dataset
    assert len(bank) == 96
    assert class_names(bank) == ('class0', 'class1', 'class2')
    assert bank.datasets[1][0]['inputs'].shape == loop.dataloader.dataset[0]['inputs'].shape


def test_queries_of_a_class_that_the_bank_lacks_are_refused(images: Path, tmp_path: Path) -> None:
    bank = _copy(images, tmp_path / 'bank', 'class0', 'class1')
    runner = _runner(bank, images, tmp_path / 'work')
    with pytest.raises(ValueError, match=r"the kNN bank 2, .*only test_dataloader.*: 'class2'"):
        runner.test()


def test_numbers_beyond_those_of_the_bank_are_refused(images: Path, tmp_path: Path) -> None:
    lists = []
    for name, classes in (('bank', (0, 1)), ('queries', (0, 2))):
        lists.append(tmp_path / f'{name}.txt')
        lists[-1].write_text(
            '\n'.join(f'class{c}/{i:03}.jpg {c}' for c in classes for i in range(8))
        )
    options = {
        'train_dataloader.dataset.ann_file': str(lists[0]),
        'val_dataloader.dataset.ann_file': str(lists[1]),
    }
    runner = _runner(images, images, tmp_path / 'work', **options)
    with pytest.raises(ValueError, match=r'8 of the labels of test_dataloader.* are not in 0 to 1'):
        runner.test()


@pytest.mark.parametrize('k', [0, 2.5, ()])
def test_settings_are_refused_when_the_loop_is_built(
    images: Path, tmp_path: Path, k: object
) -> None:
    runner = _runner(images, images, tmp_path / 'work', **{'val_cfg.k': k if k == () else (k,)})
    with pytest.raises(ValueError, match=r'test_cfg \(KNNTestLoop\): k='):
        _ = runner.test_loop


def test_weights_that_are_not_finite_are_said(
    images: Path, tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    small = make_folder(classes=3, each=2)
    runner = _runner(small, small, tmp_path / 'work')
    for parameter in runner.model.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(ValueError, match='6 of 6 bank images and of 6 of 6 queries are not finite'):
        runner.test()


def test_the_teacher_is_scored_beside_the_student(images: Path, tmp_path: Path) -> None:
    runner = _runner(
        images, images, tmp_path / 'both', **{'val_cfg.networks': ('student', 'teacher')}
    )
    generator = torch.Generator().manual_seed(1)
    for parameter in runner.model.teacher.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    both = runner.test()
    assert set(both) == {f'{p}knn3/top{n}' for p in ('', 'teacher/') for n in (1, 5)}
    alone = _runner(images, images, tmp_path / 'student')
    assert alone.test()['knn3/top1'] == both['knn3/top1']
    # A student with the teacher's weights gets the teacher's score.
    alone.model.backbone.load_state_dict(runner.model.teacher.backbone.state_dict())
    assert alone.test()['knn3/top1'] == both['teacher/knn3/top1'] != both['knn3/top1']


@pytest.mark.parametrize('networks', [('mentor',), (), 'teacher'])
def test_networks_that_do_not_exist(images: Path, tmp_path: Path, networks: object) -> None:
    runner = _runner(images, images, tmp_path / 'work', **{'val_cfg.networks': networks})
    with pytest.raises(ValueError, match=r"test_cfg.networks=.* must be a list of 'student'"):
        _ = runner.test_loop


def test_a_model_without_a_teacher(images: Path, tmp_path: Path) -> None:
    runner = _runner(images, images, tmp_path / 'work', **{'val_cfg.networks': ('teacher',)})
    del runner.model.teacher
    with pytest.raises(ValueError, match=r"test_cfg.networks=\('teacher',\): ReSSL has no teacher"):
        _ = runner.test_loop


def test_images_are_read_a_batch_at_a_time_with_the_same_scores(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    fixed = BatchedViews.fixed
    monkeypatch.setattr(
        BatchedViews, 'fixed', lambda self, infos: batches.append(len(infos)) or fixed(self, infos)
    )
    whole = load_config(str(TINY)).val_dataloader.batch_size
    options = {'val_dataloader.num_workers': 0}
    found = _runner(images, images, tmp_path / 'work', **options).test()
    assert sum(batches) == 2 * 48  # bank and queries
    assert max(batches) == min(whole, 48)
    with monkeypatch.context() as patched:
        patched.delattr(SeededDraws, '__getitems__')
        batches.clear()
        assert _runner(images, images, tmp_path / 'work', **options).test() == found
    assert not batches
