"""tools/train.py with SimMatch: the list of labels, both schedules, resume, bad input."""

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmrel.registry import DATASETS, MODELS
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, TINY_SIMMATCH, TINY_SIMMATCH_ITER, call, folders, run

TOOL = 'dataset_converters/make_label_split.py'


@pytest.fixture(scope='module')
def labels(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with 4 labels of each of 3 classes, as the tool writes it."""
    path = tmp_path_factory.mktemp('lists') / '4pc.txt'
    output = call(TOOL, TINY_SIMMATCH, '--per-class', 4, *_data(images, path))
    assert f'{path}: 12 of 48 images' in output
    assert path.read_text().startswith(
        '# 4 per class of the labels of ImageFolder (48 images), seed 0\n'
        '# 4 images of each of 3 classes\n'
    )
    return path


def _data(images: Path, labels: Path) -> list[str]:
    dataset = 'train_dataloader.dataset'
    return [
        '--cfg-options',
        f'{dataset}.labeled.data_root={images}',
        f'{dataset}.labeled.label_split={labels}',
        f'{dataset}.unlabeled.data_root={images}',
        f'val_dataloader.dataset.data_root={images}',
    ]


@pytest.fixture(scope='module')
def trained(images: Path, labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of four epochs without interruption."""
    work_dir = tmp_path_factory.mktemp('simmatch')
    output = call('train.py', TINY_SIMMATCH, '--work-dir', work_dir, *_data(images, labels))
    (work_dir / 'output.txt').write_text(output)
    return work_dir


def _lines(work_dir: Path) -> list[dict]:
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in log.read_text().splitlines()]


def _predicted(checkpoint: Path, images: Path) -> dict[str, float]:
    """Accuracy of both networks in percent, image by image, from the weights alone."""
    cfg = Config.fromfile(TINY_SIMMATCH)
    content = load_checkpoint_file(checkpoint)['state_dict']
    memory = dict(cfg.model.memory, size=len(content['memory.labels']))
    model = MODELS.build(
        dict(cfg.model, memory=memory, data_preprocessor=cfg.data_preprocessor)
    ).eval()
    model.load_state_dict(content)
    dataset = DATASETS.build(
        dict(
            type='ImageFolder', data_root=str(images), pipeline=cfg.val_dataloader.dataset.pipeline
        )
    )
    right = dict(student=0, teacher=0)
    mean, std = (torch.tensor(cfg.data_preprocessor[k])[:, None, None] for k in ('mean', 'std'))
    with torch.no_grad():
        for i in range(len(dataset)):
            sample = dataset[i]
            x = ((sample['inputs'] - mean) / std)[None]
            for name, net in (('student', model), ('teacher', model.teacher)):
                logits = net.classifier(net.backbone(x)[-1].mean((2, 3)))
                right[name] += logits.argmax().item() == sample['data_samples'].gt_label.item()
    return {name: 100 * number / len(dataset) for name, number in right.items()}


def test_losses_and_pseudo_labels_are_logged(trained: Path) -> None:
    steps = [line for line in _lines(trained) if 'loss_x' in line]
    for line in steps:
        parts = line['loss_x'] + line['loss_u'] + line['loss_in']
        assert line['loss'] == pytest.approx(parts, rel=1e-5)
        assert 0 <= line['utilisation'] <= 1
        assert 0 <= line['pseudo_label_accuracy'] <= 1
    first = [line for line in steps if line['epoch'] == 1]
    assert all(line['loss_in'] == 0 for line in first)
    assert steps[-1]['loss_in'] > 0


def test_both_networks_are_evaluated_and_the_better_one_is_named(
    images: Path, trained: Path
) -> None:
    scores = [line for line in _lines(trained) if 'student/top1' in line]
    assert [line['step'] for line in scores] == [0, 2, 4]
    expected = _predicted(trained / 'epoch_4.pth', images)
    for name, value in expected.items():
        # An image on the border between two classes may fall to either side.
        assert scores[-1][f'{name}/top1'] == pytest.approx(value, abs=2.1)
    output = (trained / 'output.txt').read_text()
    last = scores[-1]
    student, teacher = last['student/top1'], last['teacher/top1']
    verdict = 'both are equal'
    if student != teacher:
        verdict = f'the {"student" if student > teacher else "teacher"} is better'
    assert f'top1: student {student:.2f}, teacher {teacher:.2f}: {verdict}' in output


@pytest.mark.slow
def test_one_network_is_evaluated_where_one_is_wanted(
    images: Path, labels: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'metrics.json'
    output = call(
        'test.py', TINY_SIMMATCH, trained / 'epoch_4.pth', '--work-dir', tmp_path, '--out', out,
        *_data(images, labels), 'val_cfg.networks=[teacher]',
    )  # fmt: skip
    metrics = json.loads(out.read_text())
    assert set(metrics) == {'teacher/top1', 'teacher/top5'}
    logged = [line for line in _lines(trained) if 'teacher/top1' in line][-1]
    assert metrics['teacher/top1'] == pytest.approx(logged['teacher/top1'])
    assert 'is better' not in output


@pytest.mark.parametrize('epoch', [1, pytest.param(3, marks=pytest.mark.slow)])
def test_resumed_is_as_if_nothing_had_happened(
    images: Path, labels: Path, trained: Path, tmp_path: Path, epoch: int
) -> None:
    call(
        'train.py', TINY_SIMMATCH, '--work-dir', tmp_path, '--resume',
        trained / f'epoch_{epoch}.pth', *_data(images, labels),
    )  # fmt: skip
    ours, theirs = (load_checkpoint_file(w / 'epoch_4.pth') for w in (tmp_path, trained))
    for part in ('state_dict', 'optimizer'):
        torch.testing.assert_close(ours[part], theirs[part], rtol=0, atol=0)
    assert {'memory.bank', 'alignment.queue', 'teacher.classifier.weight'} <= set(
        theirs['state_dict']
    )


@pytest.mark.slow
def test_by_iteration_with_the_seven_sixteenths_cosine(
    images: Path, labels: Path, tmp_path: Path
) -> None:
    """The rate is the formula's, and an interrupted run ends as the whole one does."""
    for name, arguments in (
        ('whole', []),
        ('resumed', ['--resume', tmp_path / 'whole' / 'iter_7.pth']),
    ):
        call(
            'train.py', TINY_SIMMATCH_ITER, '--work-dir', tmp_path / name, *arguments,
            *_data(images, labels),
        )  # fmt: skip
    lines = [line for line in _lines(tmp_path / 'whole') if 'lr' in line]
    assert [line['step'] for line in lines] == [2, 4, 6, 8, 10, 12, 14]
    for line in lines:
        # Logged after the step k = step - 1.
        expected = 0.03 * math.cos(7 * math.pi * (line['step'] - 1) / (16 * 14))
        assert line['lr'] == pytest.approx(expected, rel=1e-6)
    ours, theirs = (
        load_checkpoint_file(tmp_path / n / 'iter_14.pth') for n in ('resumed', 'whole')
    )
    torch.testing.assert_close(ours['state_dict'], theirs['state_dict'], rtol=0, atol=0)


@pytest.mark.slow
def test_starts_from_a_ressl_checkpoint(images: Path, labels: Path, tmp_path: Path) -> None:
    short = 'train_cfg.max_epochs=1'
    call('train.py', TINY, '--work-dir', tmp_path / 'ressl', *folders(images), short)
    checkpoint = tmp_path / 'ressl' / 'epoch_1.pth'
    call(
        'train.py', TINY_SIMMATCH, '--work-dir', tmp_path / 'sim', *_data(images, labels), short,
        'model.backbone.init_cfg.type=Pretrained', 'model.backbone.init_cfg.prefix=backbone.',
        f'model.backbone.init_cfg.checkpoint={checkpoint}', 'optim_wrapper.optimizer.lr=0.0',
        'param_scheduler.0.end=0.5', 'param_scheduler.1.begin=0.5',
    )  # fmt: skip
    before = load_checkpoint_file(checkpoint)['state_dict']
    after = load_checkpoint_file(tmp_path / 'sim' / 'epoch_1.pth')['state_dict']
    weights = [k for k in before if k.startswith('backbone.') and k.endswith('weight')]
    for key in weights:
        for ours in (key, f'teacher.{key}'):
            torch.testing.assert_close(after[ours], before[key], rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_two_processes_share_the_batches(images: Path, labels: Path, tmp_path: Path) -> None:
    run(
        'dist_train.sh', TINY_SIMMATCH, 2, '--work-dir', tmp_path, *_data(images, labels),
        'train_dataloader.sampler.labeled_batch=2', 'train_cfg.max_epochs=2',
        'model.backbone.norm_cfg.type=SyncBN',
    )  # fmt: skip
    content = load_checkpoint_file(tmp_path / 'epoch_2.pth')
    assert content['meta']['iter'] == 2 * 48 // 8
    assert content['state_dict']['memory.labels'].tolist() == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.slow
def test_numbers_left_out_and_given_train_the_same_network(
    images: Path, labels: Path, trained: Path, tmp_path: Path
) -> None:
    call(
        'train.py', TINY_SIMMATCH, '--work-dir', tmp_path, *_data(images, labels),
        'model.memory.size=12', 'train_dataloader.batch_size=12',
    )  # fmt: skip
    given, open_ = (
        load_checkpoint_file(w / 'epoch_4.pth')['state_dict'] for w in (tmp_path, trained)
    )
    assert open_['memory.bank'].shape == (8, 12)
    torch.testing.assert_close(open_, given, rtol=0, atol=0)
    # The config in the work dir has the size.
    assert 'size' not in Config.fromfile(TINY_SIMMATCH).model.memory
    assert Config.fromfile(trained / 'tiny_simmatch.py').model.memory.size == 12


def test_a_checkpoint_is_tested_without_the_training_set(
    images: Path, trained: Path, tmp_path: Path
) -> None:
    output = call(
        'test.py', TINY_SIMMATCH, trained / 'epoch_4.pth', '--work-dir', tmp_path,
        '--cfg-options', 'model.num_classes=None', f'val_dataloader.dataset.data_root={images}',
    )  # fmt: skip
    assert 'model.num_classes=3, model.memory.size=12' in output


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.memory.size=11', 'model.memory.size=11, but the labeled set has 12 images'),
        ('model.num_classes=4', 'model.num_classes=4, but the training set has 3 classes'),
        ('train_dataloader.batch_size=13', 'set train_dataloader.batch_size=12'),
        (
            'train_dataloader.sampler.labeled_batch=16',
            'the labeled set has 12 images, fewer than the 16 in a global batch',
        ),
        (
            'train_dataloader.sampler.infinite=True',
            'train_dataloader.sampler.infinite=True, but the run is epoch-based',
        ),
        ('val_cfg.networks=[pupil]', "val_cfg.networks=('pupil',) must be"),
    ],
)
def test_numbers_that_do_not_fit_stop_a_run_before_it_starts(
    images: Path, labels: Path, tmp_path: Path, option: str, message: str
) -> None:
    output = call(
        'train.py', TINY_SIMMATCH, '--work-dir', tmp_path, *_data(images, labels), option,
        fails=True,
    )  # fmt: skip
    assert message in output
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ['train_dataloader.sampler.infinite=False'],
            'train_dataloader.sampler.infinite=False, but the run is iteration-based',
        ),
        (
            ['model.instance_head.warmup.epochs=1', 'model.instance_head.warmup.iters=None'],
            'model.instance_head.warmup.epochs=1, but the run is iteration-based',
        ),
    ],
)
def test_what_is_by_epoch_does_not_go_by_iteration(
    images: Path, labels: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    output = call(
        'train.py', TINY_SIMMATCH_ITER, '--work-dir', tmp_path, *_data(images, labels), *options,
        fails=True,
    )  # fmt: skip
    assert message in output
    assert not list(tmp_path.glob('*.pth'))
