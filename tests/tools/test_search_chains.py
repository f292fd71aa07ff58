"""Train, search, retrain by the commands, with the small spaces of ViTAS and K-shot NAS."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmrel.registry import SEARCH_SPACES
from mmrel.utils import load_checkpoint_file
from mmrel.utils.json_lines import read_rows
from tests.commands import ROOT, TINY_KSHOT, TINY_VITAS, call, folders

CHAINS = dict(
    vitas=(TINY_VITAS, 'vitas/vitas_search_small_imagefolder32.py'),
    kshot=(TINY_KSHOT, 'kshot/search/kshot_search-k4_nb201-c8_imagefolder32.py'),
)

# Their retraining config has a warm-up that is longer than one epoch.
SHORT = dict(vitas=('param_scheduler.0.end=0.5', 'param_scheduler.1.begin=0.5'))


def _search_config(tiny: Path, search: str, images: Path) -> str:
    """The tiny supernet, searched as the config of its family does it."""
    cfg = Config.fromfile(ROOT / 'configs' / search)
    data = dict(cfg.test_dataloader.dataset, data_root=str(images), label_split=None)
    loader = dict(batch_size=16, num_workers=0, collate_fn=cfg.test_dataloader.collate_fn)
    loop = dict(type='SearchLoop', population=3, generations=2, retrain=cfg.test_cfg.retrain)
    return (
        f'_base_ = [{str(tiny)!r}]\n'
        f'test_dataloader = {Config(dict(loader, dataset=data))._cfg_dict.to_dict()!r}\n'
        f"test_evaluator = dict(type='Accuracy')\n"
        f'test_cfg = {Config(loop)._cfg_dict.to_dict()!r}\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize('name', CHAINS)
def test_a_supernet_is_trained_searched_and_its_best_path_retrained(
    images: Path, tmp_path: Path, name: str
) -> None:
    tiny, search = CHAINS[name]
    call('train.py', tiny, '--work-dir', tmp_path / 'supernet', *folders(images))
    last = (tmp_path / 'supernet' / 'last_checkpoint').read_text().strip()
    config = tmp_path / 'tiny_search.py'
    config.write_text(_search_config(tiny, search, images))
    words = ['search.py', config, last, '--work-dir', tmp_path / 'search', *folders(images)]
    call(*words)
    rows = read_rows(str(tmp_path / 'search' / 'paths.jsonl'))
    assert [row['slot'] for row in rows] == list(range(6))
    best = json.loads((tmp_path / 'search' / 'best_path.json').read_text())
    assert best['score'] == max(row['score'] for row in rows)
    # The scores are those of the same paths, scored one by one with the same calibration.
    call(
        'analysis/score_paths.py', config, last, tmp_path / 'search' / 'paths.jsonl',
        '--out', tmp_path / 'scores.jsonl', *folders(images),
    )  # fmt: skip
    again = {row['key']: row['score'] for row in read_rows(str(tmp_path / 'scores.jsonl'))}
    assert again == {row['key']: row['score'] for row in rows}

    retrained = tmp_path / 'retrained'
    call(
        'train.py', tmp_path / 'search' / 'retrain.py', '--work-dir', retrained, *folders(images),
        'train_cfg.max_epochs=1', 'train_dataloader.batch_size=8',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
        'val_evaluator.topk=[1]', 'custom_hooks=[]', *SHORT.get(name, ()),
    )  # fmt: skip
    state = load_checkpoint_file(retrained / 'epoch_1.pth')['state_dict']
    space = SEARCH_SPACES.build(Config.fromfile(tiny).model.space)
    weights = sum(value.numel() for key, value in state.items() if not _is_statistic(key))
    assert weights == space.parameters(space.indices([best['path']]))[0]


def _is_statistic(key: str) -> bool:
    return key.endswith(('running_mean', 'running_var', 'num_batches_tracked'))
