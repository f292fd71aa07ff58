"""tools/search.py and the commands around it, with a toy supernet, run as commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrel.search.storage import open_storage
from mmrel.utils import load_checkpoint_file
from mmrel.utils.json_lines import format_rows, read_rows
from tests.commands import TINY_SEARCH, call, command, environment, folders, run

PATHS = 24  # 4 generations of 6


def _data(root: Path, *options: str) -> list[str]:
    return [*folders(root), f'test_dataloader.dataset.data_root={root}', *options]


@pytest.fixture(scope='module')
def supernet(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('supernet')
    call('train.py', TINY_SEARCH, '--work-dir', work_dir, *_data(images))
    return work_dir / 'epoch_4.pth'


@pytest.fixture(scope='module')
def searched(images: Path, supernet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of a search that nothing interrupted."""
    work_dir = tmp_path_factory.mktemp('search')
    output = call('search.py', TINY_SEARCH, supernet, '--work-dir', work_dir, *_data(images))
    assert f'scored 20 of {PATHS} paths' in output
    assert 'eta: ' in output
    return work_dir


def _rows(work_dir: Path) -> list[dict]:
    return read_rows(str(work_dir / 'paths.jsonl'))


def test_a_search_leaves_its_results(searched: Path) -> None:
    rows = _rows(searched)
    assert [row['slot'] for row in rows] == list(range(PATHS))
    assert len({row['key'] for row in rows}) == PATHS
    assert all(200 <= row['flops'] <= 800 for row in rows)
    assert len({row['score'] for row in rows}) > 3
    best = json.loads((searched / 'best_path.json').read_text())
    assert best['score'] == max(row['score'] for row in rows) > 50
    names = ('top.json', 'top.md', 'pareto.json', 'pareto.png', 'history.png', 'pareto.html')
    assert all((searched / name).is_file() for name in names)


def test_the_retraining_config_trains(images: Path, searched: Path, tmp_path: Path) -> None:
    output = call('train.py', searched / 'retrain.py', '--work-dir', tmp_path, *folders(images))
    assert 'accuracy/top1' in output
    best = json.loads((searched / 'best_path.json').read_text())
    weights = load_checkpoint_file(tmp_path / 'epoch_2.pth')['state_dict']
    assert len(weights['backbone.layers.0.weight']) == best['path']['width1']
    assert ('backbone.layers.1.weight' in weights) == (best['path']['second'] == 'yes')


@pytest.mark.slow
def test_a_study_is_not_overwritten_and_a_finished_one_is_not_searched_again(
    images: Path, supernet: Path, searched: Path
) -> None:
    before = _rows(searched)
    words = ['search.py', TINY_SEARCH, supernet, '--work-dir', searched]
    assert '--resume' in call(*words, *_data(images), fails=True)
    output = call(*words, '--resume', *_data(images))
    assert f'the study has {PATHS} scored paths' in output
    assert _rows(searched) == before
    output = call(*words, '--resume', *_data(images, 'test_cfg.seed=5'), fails=True)
    assert 'seed: the study has 0, this search has 5' in output
    output = call(*words, '--resume', *_data(images, 'test_cfg.autocast=True'), fails=True)
    assert 'autocast: the study has False, this search has True' in output
    output = call(*words, *_data(images, 'test_cfg.study.name=other'), fails=True)
    assert "the work dir has the study 'tiny_search', but this search is 'other'" in output


def _start(*words: object, log: Path) -> subprocess.Popen:
    with log.open('w') as file:
        return subprocess.Popen(
            command(*words), stdout=file, stderr=file, env=environment(), start_new_session=True
        )


def _wait_for(what: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_nothing_had_been(
    images: Path, supernet: Path, searched: Path, tmp_path: Path
) -> None:
    words = ['search.py', TINY_SEARCH, supernet, '--work-dir', tmp_path]
    process = _start(*words, *_data(images), log=tmp_path / 'log')
    # Results of the first generation are there: it is somewhere in the second.
    _wait_for(lambda: (tmp_path / 'paths.jsonl').exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = _rows(tmp_path)
    assert 6 <= len(kept) < PATHS
    assert (tmp_path / 'best_path.json').exists()
    call(*words, '--resume', *_data(images))
    assert _rows(tmp_path) == _rows(searched)


@pytest.mark.parametrize(
    'url',
    ['{}/shared/study.journal', 'sqlite:///{}/study.db'],
)
@pytest.mark.slow
def test_two_searches_on_one_study_share_its_paths(
    images: Path, supernet: Path, searched: Path, tmp_path: Path, url: str
) -> None:
    storage = url.format(tmp_path)
    processes = [
        _start(
            'search.py', TINY_SEARCH, supernet, '--work-dir', tmp_path / name, '--storage', storage,
            *_data(images, 'test_cfg.log_interval=1'), log=tmp_path / f'{name}.log',
        )
        for name in 'ab'
    ]  # fmt: skip
    for process in processes:
        assert process.wait(600) == 0, (tmp_path / 'a.log').read_text()[-3000:]
    logs = [(tmp_path / f'{name}.log').read_text() for name in 'ab']
    assert sum(log.count('s per path') for log in logs) == PATHS
    for name in 'ab':
        assert _rows(tmp_path / name) == _rows(searched)


@pytest.mark.slow
def test_ranks_score_different_paths(
    images: Path, supernet: Path, searched: Path, tmp_path: Path
) -> None:
    run('dist_search.sh', TINY_SEARCH, supernet, 2, '--work-dir', tmp_path, *_data(images))
    assert _rows(tmp_path) == _rows(searched)
    workers: dict[str, int] = {}
    for line in (tmp_path / 'study.journal').read_text().splitlines():
        worker = json.loads(line).get('user_attr', {}).get('worker')
        if worker is not None:
            workers[worker['name']] = workers.get(worker['name'], 0) + 1
    # Each path was claimed once, and both ranks claimed some.
    assert len(workers) == 2
    assert sum(workers.values()) == PATHS


@pytest.mark.slow
def test_two_objectives_and_calibration(
    images: Path, supernet: Path, searched: Path, tmp_path: Path
) -> None:
    call(
        'search.py', TINY_SEARCH, supernet, '--work-dir', tmp_path,
        *_data(images, 'test_cfg.objectives=(accuracy,cost)', 'model.calibration_batches=2',
               'test_cfg.autocast=True', 'test_cfg.cache_images=False'),
    )  # fmt: skip
    assert len(_rows(tmp_path)) == PATHS
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'prepared with 2 batches' in log
    # tests/search/test_study.py shows that the second objective pulls: here scores are noise.
    (study,) = open_storage(str(tmp_path / 'study.journal')).get_all_studies()
    assert [direction.name for direction in study.directions] == ['MAXIMIZE', 'MINIMIZE']
    front = json.loads((tmp_path / 'pareto.json').read_text())
    for row in _rows(tmp_path):
        assert any(f['score'] >= row['score'] and f['flops'] <= row['flops'] for f in front)


@pytest.mark.slow
def test_given_and_random_paths(
    images: Path, supernet: Path, searched: Path, tmp_path: Path
) -> None:
    out, scores = tmp_path / 'random', tmp_path / 'scores.jsonl'
    words = ['analysis/random_paths.py', TINY_SEARCH, '--n', 5, '--out', out]
    call(*words)
    first = (out / 'paths.jsonl').read_text()
    call(*words)
    assert (out / 'paths.jsonl').read_text() == first
    drawn = read_rows(str(out / 'paths.jsonl'))
    assert all(200 <= row['flops'] <= 800 for row in drawn)
    assert sorted(p.name for p in out.glob('*.py')) == [f'random_0{i}.py' for i in range(5)]
    score = ['analysis/score_paths.py', TINY_SEARCH, supernet]
    tail = ['--out', scores, '--work-dir', tmp_path, *_data(images)]
    # The search's own paths get the scores that the search gave them.
    given = tmp_path / 'given.jsonl'
    given.write_text(format_rows([*_rows(searched)[:4], *drawn[:2]]))
    call(*score, given, *tail)
    rows = read_rows(str(scores))
    found = {row['key']: row['score'] for row in rows}
    for row in _rows(searched)[:4]:
        assert found[row['key']] == row['score']
    # A stop in the middle of a line costs that row alone.
    scores.write_text(format_rows(rows[:3]) + '{"path": {')
    output = call(*score, given, *tail)
    assert read_rows(str(scores)) == rows
    assert f'of {len(rows) - 3} paths' in output
    given.write_text(format_rows([dict(path=dict(drawn[0]['path'], width1=5))]))
    output = call(*score, given, *tail, fails=True)
    assert 'given.jsonl, path 1: width1=5' in output


@pytest.mark.slow
def test_networks_of_paths_are_retrained(images: Path, searched: Path, tmp_path: Path) -> None:
    given = tmp_path / 'given.jsonl'
    given.write_text(format_rows(_rows(searched)[:2]))
    words = ['analysis/retrain_paths.py', TINY_SEARCH, searched / 'best_path.json', given]
    words += ['--work-dir', tmp_path / 'nets', *folders(images)]
    call(*words)
    file = tmp_path / 'nets' / 'retrained.jsonl'
    rows = read_rows(str(file))
    best = json.loads((searched / 'best_path.json').read_text())
    # The best path may be one of the two: it is trained once.
    assert [row['key'] for row in rows] == list(
        dict.fromkeys([best['key'], *(row['key'] for row in _rows(searched)[:2])])
    )
    # One that is there is not trained again.
    file.write_text(format_rows([dict(rows[0], top1=-1.0), *rows[2:]]))
    call(*words)
    again = {row['key']: row['top1'] for row in read_rows(str(file))}
    assert again == {row['key']: row['top1'] for row in rows} | {rows[0]['key']: -1.0}
    given.write_text(format_rows([dict(path=dict(best['path'], width1=5))]))
    assert 'given.jsonl, path 1: width1=5' in call(*words, fails=True)


def test_rank_correlation_of_files(tmp_path: Path) -> None:
    table = tmp_path / 'rows.csv'
    table.write_text('key,supernet,retrained\na,1,10\nb,2,30\nc,3,20\nd,4,40\n')
    output = call('analysis/rank_correlation.py', table)
    assert re.search(r"Kendall's tau 0\.667 \[.*\], Spearman's rho 0\.800 \[", output)
    assert 'the noise of retrained is not known' in output
    assert (tmp_path / 'rows.png').is_file()
    other = tmp_path / 'other.jsonl'
    other.write_text(format_rows([dict(key=k, score=s) for k, s in zip('dcba', range(4))]))  # noqa: B905
    output = call(
        'analysis/rank_correlation.py', table, other, '--y', 'score', '--out', tmp_path / 'x.png'
    )
    assert "Kendall's tau -1.000 [-1.000, -1.000]" in output
    output = call('analysis/rank_correlation.py', table, '--repeat', 'supernet')
    assert "supernet against retrained: Kendall's tau 0.667 [" in output
    output = call('analysis/rank_correlation.py', table, '--y', 'none', fails=True)
    assert "row 1 has no column 'none'" in output
    table.write_text('supernet,retrained\n1,2\n2,x\n3,4\n')
    output = call('analysis/rank_correlation.py', table, fails=True)
    assert "row 2: retrained='x' is not a number" in output


def test_bad_input_gives_one_clear_error(images: Path, supernet: Path, tmp_path: Path) -> None:
    words = ['search.py', TINY_SEARCH, supernet, '--work-dir', tmp_path]
    output = call(*words, *_data(images, 'test_cfg.budget.min=1', 'test_cfg.budget.max=9'),
                 fails=True)  # fmt: skip
    assert 'no path meets the budget 1 <= flops <= 9' in output
    assert 'random paths cost from 102 to 1072' in output
    output = call(*words, *_data(images, 'test_cfg.sampler.mutation=0.1'), fails=True)
    assert (
        'test_cfg.sampler.mutation is not a setting: test_cfg.sampler takes crossover_prob'
        in output
    )
    output = call('search.py', TINY_SEARCH, '--work-dir', tmp_path, *_data(images), fails=True)
    assert 'a search needs a trained supernet; give CHECKPOINT' in output
    output = call(*words, '--storage', 'sqlite:////proc/none/x.db', *_data(images), fails=True)
    assert "search storage 'sqlite:////proc/none/x.db' cannot be reached" in output
    output = call(*words, *_data(images, 'model.space.widths=(3,5,16)'), fails=True)
    assert 'the checkpoint is of another space' in output
    output = call(*words, *_data(images, 'model.type=FlatSupernet'), fails=True)
    assert 'FlatSupernet.path_logits returned shape (3, 3) for 3 images' in output
    broken = tmp_path / 'broken'
    shutil.copytree(images, broken)
    (broken / 'class1' / '003.jpg').write_bytes(b'no image')
    output = call(*words, *_data(broken), fails=True)
    assert '003.jpg' in output
    assert 'cannot be decoded' in output
