"""What the zoo ships of a trained model."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmrel.apis import zoo_files
from mmrel.apis.zoo_files import (
    check_total,
    log_lines,
    read_metrics,
    readme,
    replaced,
    shipped_meta,
    shipped_state,
    write_shipped,
)
from mmrel.utils import load_checkpoint_file
from mmrel.visualization.curves import Scalars


def test_what_is_too_large_is_halved_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {'backbone.w': torch.randn(1000), 'backbone.n': torch.tensor(2**40)}
    path = tmp_path / 'x.safetensors'
    monkeypatch.setattr(zoo_files, 'MAX_BYTES', 3000)
    assert write_shipped(state, dict(epoch=1), path) == 'float16'
    content = load_checkpoint_file(path)
    assert content['meta'] == dict(epoch=1, dtype='float16')
    assert content['state_dict']['backbone.n'] == 2**40
    assert torch.equal(content['state_dict']['backbone.w'], state['backbone.w'].half())
    with pytest.raises(RuntimeError, match='in float16 has NaN or infinite'):
        write_shipped({'backbone.w': torch.full((1000,), 1e6)}, {}, path)
    monkeypatch.setattr(zoo_files, 'MAX_BYTES', 1000)
    with pytest.raises(ValueError, match='MB in float16, but the zoo ships at most'):
        write_shipped(state, {}, path)


def test_keys_are_renamed() -> None:
    names = 'teacher.backbone.a', 'teacher.classifier.weight', 'backbone.a'
    checkpoint = dict(state_dict={name: torch.tensor(float(i)) for i, name in enumerate(names)})
    keys = {'teacher.backbone.': 'backbone.', 'teacher.classifier.': 'head.fc.'}
    kept = shipped_state(checkpoint, keys)
    assert kept == {'backbone.a': 0, 'head.fc.weight': 1}
    assert shipped_state(checkpoint, {'': ''}) == checkpoint['state_dict']


def test_metrics_are_named_and_checked(tmp_path: Path) -> None:
    file = tmp_path / 'x.json'
    content = {'knn20/top5': 90, 'knn20/top1': 61.2345, 'teacher/accuracy/top1': 3.0, 'map': 0.5}
    file.write_text(json.dumps(content))
    assert list(read_metrics(file).items()) == [
        ('Top 1 Accuracy (k = 20)', 61.23),
        ('Top 1 Accuracy (teacher)', 3.0),
        ('Top 5 Accuracy (k = 20)', 90),
        ('map', 0.5),
    ]
    for text in ('{}', '[1]', 'x', '{"a": NaN}', '{"a": "3"}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r'x\.json'):
            read_metrics(file)


def test_the_log_is_in_training_order() -> None:
    """A validation follows the training lines of its epoch; one of epoch 0 is first."""
    train = [dict(epoch=e, iter=i, loss=1.0) for e, i in ((1, 3), (1, 6), (2, 9))]
    val = [dict(step=2, top1=3.0), dict(step=0, top1=1.0), dict(step=1, top1=2.0)]
    lines = [json.loads(line) for line in log_lines(Scalars(train, val)).splitlines()]
    assert lines == [val[1], *train[:2], val[2], train[2], val[0]]
    by_iter = [dict(iter=i, loss=1.0) for i in (50, 100)]
    lines = log_lines(Scalars(by_iter, [dict(step=50, top1=1.0)])).splitlines()
    assert [json.loads(line).get('top1') for line in lines] == [None, 1.0, None]


def test_a_model_that_is_replaced_does_not_count_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo_files, 'MAX_TOTAL_BYTES', 3_000_000)
    for name in ('old', 'other'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'model.safetensors').write_bytes(bytes(1_500_000))
    check_total(tmp_path, 'old', 1_500_000)
    message = r"' would contain 3\.1 MB of weights, more than 3 MB: remove another model first"
    with pytest.raises(ValueError, match=message):
        check_total(tmp_path, 'old', 1_600_000)
    with pytest.raises(ValueError, match=r"' would contain 3\.1 MB"):
        check_total(tmp_path, 'new', 100_000)


@pytest.mark.usefixtures('mmrel_scope')
def test_metadata_describe_the_model_and_leave_the_run_out() -> None:
    pipeline = [dict(type='LoadImage'), dict(type='CentralView', size=8), dict(type='PackInputs')]
    backbone = dict(type='ResNet', depth=18)
    preprocessor = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])
    model = dict(type='ReSSL', backbone=dict(backbone, init_cfg=dict(checkpoint='/home/me/x.pth')))
    cfg = Config(
        dict(
            model=model,
            data_preprocessor=preprocessor,
            val_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )
    run = dict(cfg='/home/me', hostname='here', epoch=7, iter=9, dataset_meta=dict(classes=['a']))
    meta = shipped_meta(cfg, 'tiny', dict(meta=run))
    assert meta.pop('mmrel_version')
    assert meta == dict(
        name='tiny', method='ReSSL', backbone=backbone, image_size=[8, 8], mean=[1.0, 2.0, 3.0],
        std=[4.0, 5.0, 6.0], epoch=7, iter=9, dataset_meta=dict(classes=['a']),
    )  # fmt: skip


def test_the_page_has_the_results_that_replaced_others() -> None:
    def result(task: str, dataset: str, value: float) -> dict:
        return dict(Task=task, Dataset=dataset, Metrics={'Top 1': value}, Command=f'test {value}')

    old = [result('kNN', 'a', 1), result('kNN', 'b', 2), result('linear', 'a', 3)]
    new = [result('kNN', 'b', 4.567), result('linear', 'b', 5)]
    results = replaced(old, new)
    assert results == [old[0], new[0], old[2], new[1]]
    assert replaced(None, new) == new
    entry = dict(Config='configs/x.py', Command='train x', Metadata={'Training Data': 'digits'})
    text = readme('tiny', dict(entry, Results=results))
    assert text.startswith('# tiny\n\n[Config](../../configs/x.py) · [log](log.json)\n')
    assert text.index('```bash\ntrain x\n```') < text.index('**kNN**, a: Top 1 1.00')
    assert '**kNN**, b: Top 1 4.57\n\n```bash\ntest 4.567\n```' in text
    assert text.count('**kNN**') == text.count('**linear**') == 2
    assert '**' not in readme('tiny', dict(entry, Results=None))
