"""Rankings against a table, searches on it (60 rows of a public one), and a table of one's own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.apis import load_config
from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.search.truth_table import read_truth_table
from mmrel.utils.json_lines import format_rows, read_rows
from tests.commands import TINY_KSHOT, call, folders

TABLE = Path(__file__).parents[1] / 'data' / 'tables' / 'nas_bench_201_cifar10.csv'
INTERVAL = r'-?\d+\.\d+ \[-?\d+\.\d+, -?\d+\.\d+\]'


@pytest.fixture(scope='module')
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained supernet: its ranking means nothing, but every network has a loss."""
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(TINY_KSHOT)).model)
    file = tmp_path_factory.mktemp('supernet') / 'supernet.pth'
    torch.save(dict(state_dict=model.state_dict()), file)
    return file


def _rank(images: Path, supernet: Path, out: Path, *options: object) -> str:
    return call(
        'analysis/rank_against_table.py', TINY_KSHOT, supernet, '--table', TABLE, '--n', 22,
        '--out', out, *options, *folders(images), 'val_dataloader.batch_size=8',
    )  # fmt: skip


def test_a_supernet_is_ranked_and_finished_scores_are_kept(
    images: Path, supernet: Path, tmp_path: Path
) -> None:
    output = _rank(images, supernet, tmp_path)
    for name in ('supernet, minus the loss', 'flops', 'layers', 'test_accuracy_12_epochs'):
        assert re.search(rf'\| {name} \| {INTERVAL} \| {INTERVAL} \| {INTERVAL} \|', output), name
    rows = read_rows(tmp_path / 'scores.jsonl')
    assert len({row['loss'] for row in rows}) == len(rows) == 22
    result = json.loads((tmp_path / 'ranking.json').read_text())
    assert {'value', 'low', 'high'} <= result['ranking'][0]['tau'].keys()
    with Image.open(tmp_path / 'ranking.png') as image:
        assert image.width > 500
    # Two rows and a half are left; a loss that no network has shows that they are kept.
    rows[0]['loss'] = 99.0
    left = format_rows(rows[:2]) + json.dumps(rows[2])[:30]
    (tmp_path / 'scores.jsonl').write_text(left)
    _rank(images, supernet, tmp_path)
    assert read_rows(tmp_path / 'scores.jsonl') == rows


def test_searches_on_a_table(tmp_path: Path) -> None:
    words = ['analysis/search_on_table.py', '--table', TABLE, '--n', 8, '--population', 4,
             '--seeds', 2, '--out', tmp_path]  # fmt: skip
    output = call(*words)
    for name in ('random', 'most flops', 'NSGA-II', 'NSGA-II, random start', 'TPE'):
        assert re.search(rf'\| {name} \| {INTERVAL} \|', output), name
    rows = read_rows(tmp_path / 'curves.jsonl')
    assert [len(row['curve']) for row in rows] == [8] * 12
    with Image.open(tmp_path / 'curves.png') as image:
        assert image.width > 500
    # Cells that are not in the table are out of reach.
    assert 'only' in call(*words, '--max-cost', 1, fails=True)


def test_a_table_of_truth_from_two_seeds(tmp_path: Path) -> None:
    space = SEARCH_SPACES.build(load_config(str(TINY_KSHOT)).model.space)
    drawn = space.paths(space.sample_indices(9, np.random.default_rng(0)))
    paths = list({space.key(path): path for path in drawn}.values())[:6]
    files = [tmp_path / f'{seed}.jsonl' for seed in (0, 1)]
    for seed, file in enumerate(files):
        rows = [
            dict(key=space.key(path), path=path, top1=50 + i + seed * (-1) ** i, seed=seed)
            | dict(space=space.fingerprint())
            for i, path in enumerate(paths)
        ]
        file.write_text(format_rows(rows))
    words = ['analysis/make_truth_table.py', TINY_KSHOT, *files, '--out', tmp_path / 'table.csv']
    output = call(*words)
    assert 'standard deviation 0.71 between seeds of a network, 0.50 of the mean' in output
    assert re.search(rf'with the others: {INTERVAL}', output)
    table = read_truth_table(tmp_path / 'table.csv', space)
    assert table.accuracy.tolist() == [50 + i + 0.5 * (-1) ** i for i in range(6)]
    files[1].write_text(format_rows(rows[:3]))
    assert '3 are in only one' in call(*words, fails=True)


def test_groups_of_supernets_are_compared(tmp_path: Path) -> None:
    space = SEARCH_SPACES.build(load_config(str(TINY_KSHOT)).model.space)
    table = read_truth_table(TABLE, space)
    paths = space.paths(table.indices[table.sample(20, 0)])
    truth = table.accuracy[table.rows(paths)]
    groups = []
    for name, spread in (('K=1', 3.0), ('K=4', 0.0)):
        files = []
        for seed in range(3):
            noise = spread * np.random.default_rng(seed).standard_normal(20)
            files.append(tmp_path / f'{name}_{seed}.jsonl')
            pairs = zip(paths, (truth + noise).tolist(), strict=True)
            files[-1].write_text(
                format_rows([dict(path=path, key=space.key(path), loss=-x) for path, x in pairs])
            )
        groups += ['--group', name, *files]
    words = ['analysis/compare_rankings.py', TINY_KSHOT, '--table', TABLE]
    output = call(*words, *groups)
    assert re.search(rf'\| K=1 \| .*, .*, .* \| {INTERVAL} \|  \|', output)
    assert '| K=4 | 1.000, 1.000, 1.000 | 1.000 [1.000, 1.000] |' in output
    mean = f'{-truth.mean():.3f}'
    assert f'| K=4 | {mean}, {mean}, {mean} | {mean} [{mean}, {mean}] |' in output
    for wrong, message in (
        (groups[:5], 'at least two groups'),
        (groups[:-1], 'the same seeds, at least 2'),
        ([*groups[:6], groups[7], groups[7], *groups[8:9]], 'begin with a name'),
        ([*groups[:-1], groups[-2]], 'given twice'),
    ):
        assert message in call(*words, *wrong, fails=True)
