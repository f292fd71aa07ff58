"""tools/train.py with WCL: K-NN multi-crop, the change of views, resume, two processes."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmrel.registry import DATASETS, MODELS
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY_WCL, call, run


def _data(root: Path) -> list[str]:
    return [
        '--cfg-options',
        f'train_dataloader.dataset.dataset.data_root={root}',
        f'val_dataloader.dataset.data_root={root}',
    ]


@pytest.fixture(scope='module')
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of five epochs without interruption."""
    work_dir = tmp_path_factory.mktemp('wcl')
    call('train.py', TINY_WCL, '--work-dir', work_dir, *_data(images))
    return work_dir


def _table(checkpoint: Path) -> torch.Tensor:
    return load_checkpoint_file(checkpoint)['knn_multi_crop']['neighbors']


def _slow_table(checkpoint: Path, images: Path, k: int) -> torch.Tensor:
    """The neighbors by the weights of a checkpoint: all images at once, the full matrix."""
    init_default_scope('mmrel')
    cfg = Config.fromfile(TINY_WCL)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).eval()
    model.load_state_dict(load_checkpoint_file(checkpoint)['state_dict'])
    dataset = DATASETS.build(
        dict(
            type='ImageFolder', data_root=str(images), pipeline=cfg.val_dataloader.dataset.pipeline
        )
    )
    samples = [dataset[i] for i in range(len(dataset))]
    batch = dict(inputs=torch.stack([s['inputs'] for s in samples]),
                 data_samples=[s['data_samples'] for s in samples])  # fmt: skip
    with torch.no_grad():
        maps = model.backbone(model.data_preprocessor(batch, False)['inputs'])[-1]
    x = F.normalize(maps.mean((2, 3)).double(), dim=1)
    return (x @ x.T).fill_diagonal_(-torch.inf).topk(k).indices.int()


def test_the_table_is_in_the_checkpoint_and_refreshed_when_it_is_due(
    images: Path, trained: Path
) -> None:
    tables = [_table(trained / f'epoch_{i}.pth') for i in range(1, 6)]
    # After epochs 1 and 3; not after 5, which no epoch follows.
    for epoch in (1, 3):
        slow = _slow_table(trained / f'epoch_{epoch}.pth', images, 3)
        agree = (tables[epoch - 1].sort().values == slow.sort().values).float().mean()
        assert agree > 0.95  # float32 and batches of 8 against float64 and all at once
    torch.testing.assert_close(tables[1], tables[0], rtol=0, atol=0)
    assert not torch.equal(tables[2], tables[1])
    torch.testing.assert_close(tables[4], tables[2], rtol=0, atol=0)


def test_losses_and_purity_are_logged(trained: Path) -> None:
    (log,) = trained.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [line for line in lines if 'loss' in line]
    for line in steps:
        assert line['loss'] == pytest.approx(line['loss_instance'] + line['loss_graph'], rel=1e-5)
        assert 0 <= line['purity'] <= 1
    assert len({line['purity'] for line in steps}) > 1


@pytest.mark.slow
@pytest.mark.parametrize('epoch', [1, 2, 3])
def test_resumed_is_as_if_nothing_had_happened(
    images: Path, trained: Path, tmp_path: Path, epoch: int
) -> None:
    """Between two refreshes, before and after the change of views: bit for bit."""
    start = trained / f'epoch_{epoch}.pth'
    output = call(
        'train.py', TINY_WCL, '--work-dir', tmp_path, '--resume', start, *_data(images)
    )  # fmt: skip
    assert f'resumed epoch: {epoch}' in output
    ours, theirs = (load_checkpoint_file(w / 'epoch_5.pth') for w in (tmp_path, trained))
    for part in ('state_dict', 'optimizer', 'knn_multi_crop'):
        torch.testing.assert_close(ours[part], theirs[part], rtol=0, atol=0)


@pytest.mark.slow
def test_a_checkpoint_without_a_table_is_refused(
    images: Path, trained: Path, tmp_path: Path
) -> None:
    content = load_checkpoint_file(trained / 'epoch_2.pth')
    table = content.pop('knn_multi_crop')['neighbors']
    torch.save(content, tmp_path / 'plain.pth')
    torch.save(dict(content, knn_multi_crop=dict(neighbors=table[1:])), tmp_path / 'other-set.pth')
    for name, message in (
        ('plain.pth', "the checkpoint has no 'knn_multi_crop'"),
        ('other-set.pth', 'does not match 48 images with num_neighbors=3'),
    ):
        output = call(
            'train.py', TINY_WCL, '--work-dir', tmp_path / 'w', '--resume', tmp_path / name,
            *_data(images), fails=True,
        )  # fmt: skip
        assert message in output


@pytest.mark.slow
def test_two_processes_share_the_neighbors(images: Path, tmp_path: Path) -> None:
    run(
        'dist_train.sh', TINY_WCL, 2, '--work-dir', tmp_path, *_data(images),
        'train_dataloader.batch_size=4', 'train_cfg.max_epochs=2',
        'custom_hooks.0.schedule.0.action_epoch=2',
    )  # fmt: skip
    table = _table(tmp_path / 'epoch_1.pth')
    slow = _slow_table(tmp_path / 'epoch_1.pth', images, 3)
    assert (table.sort().values == slow.sort().values).float().mean() > 0.95
    assert load_checkpoint_file(tmp_path / 'epoch_2.pth')['meta']['iter'] == 2 * 48 // 8


def test_the_hook_needs_its_data_set(images: Path, tmp_path: Path) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = ['{TINY_WCL}']\n"
        "inner = dict(_delete_=True, type='ImageFolder', "
        f"data_root='{images}', pipeline={{{{_base_.train_pipeline}}}})\n"
        'train_dataloader = dict(dataset=inner)\n'
        f"val_dataloader = dict(dataset=dict(data_root='{images}'))\n"
    )
    output = call('train.py', child, '--work-dir', tmp_path / 'w', fails=True)
    assert 'needs train_dataloader.dataset.type=KNNMultiCropDataset, not ImageFolder' in output


@pytest.mark.slow
def test_the_rate_is_scaled_by_the_root_of_the_batch(images: Path, tmp_path: Path) -> None:
    short = ['train_cfg.max_epochs=1', 'custom_hooks.0.schedule.0.action_epoch=1']
    output = call(
        'train.py', TINY_WCL, '--auto-scale-lr', '--work-dir', tmp_path, *_data(images), *short
    )
    assert 'is for a batch size of 256, but this run has 8: multiplied by 0.1768' in output
    (scheduler,) = load_checkpoint_file(tmp_path / 'epoch_1.pth')['param_schedulers']
    assert scheduler['base_values'] == [pytest.approx(1.2 * (8 / 256) ** 0.5)]
    rule = 'auto_scale_lr.rule=cubic'
    output = call(
        'train.py', TINY_WCL, '--auto-scale-lr', '--work-dir', tmp_path, *_data(images), rule,
        fails=True,
    )  # fmt: skip
    assert "auto_scale_lr.rule='cubic' must be 'linear' or 'sqrt'" in output
