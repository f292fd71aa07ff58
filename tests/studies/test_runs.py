"""Lists of runs, with a script in place of tools/train.py that writes what it was given."""

import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from mmrel.studies import runs as module
from mmrel.studies.runs import Runs, config_path, read_run
from mmrel.utils.json_lines import format_rows, read_rows
from tests.commands import ROOT

# A run of two epochs; what it was started with is in started.jsonl.
TRAIN = """
import json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
folder = Path(words[words.index('--work-dir') + 1])
options = dict(word.split('=', 1) for word in words[words.index('--cfg-options') + 1:])
start = dict(config=words[0], resume='--resume' in words, options=options,
             threads=os.environ['OMP_NUM_THREADS'], checkpoint=(folder / 'epoch_2.pth').exists())
with (folder / 'started.jsonl').open('a') as file:
    file.write(json.dumps(start) + '\\n')
time.sleep(float(options.get('sleep', 0)))
if 'fail' in options:
    sys.exit('Traceback\\nerror: ' + options['fail'] + '\\nlater words')
logs = folder / 'time' / 'vis_data'
logs.mkdir(parents=True, exist_ok=True)
lines = [dict(loss=4 - i, loss_epoch=4 - i, epoch=1 + i // 2, iter=i + 1, step=i + 1)
         for i in range(4)]
if not start['checkpoint']:
    lines += [dict(top1=50.12346, step=2)]
(logs / 'scalars.json').write_text(''.join(json.dumps(line) + '\\n' for line in lines))
(folder / 'epoch_2.pth').touch()
(folder / 'last_checkpoint').touch()
"""


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(TRAIN)
    (tmp_path / 'config.py').touch()
    monkeypatch.setattr(module, 'package_root', lambda: tmp_path)
    return tmp_path


def _key(row: dict) -> int | None:
    return row['n'] if row.get('counts', True) else None


def test_only_runs_without_a_row_are_done(tmp_path: Path) -> None:
    file = tmp_path / 'rows.jsonl'
    # A row that does not count, and what a stopped process left.
    file.write_text(format_rows([dict(n=1), dict(n=2, counts=False)]) + '{"n": 0')
    runs, done = Runs(file, _key), []

    def task(n: int) -> dict:
        done.append(n)
        return dict(n=n, new=True)

    tasks = {n: partial(task, n) for n in (2, 1, 0)}
    runs.complete(tasks, 'numbers')
    assert done == [2, 0]
    expected = [dict(n=1), dict(n=2, counts=False), dict(n=2, new=True), dict(n=0, new=True)]
    assert runs.rows == read_rows(file) == expected
    assert runs.by_key() == {1: expected[0], 2: expected[2], 0: expected[3]}
    Runs(file, _key).complete(tasks, 'numbers')
    assert done == [2, 0]


def test_jobs_run_at_once_and_the_signal_handler_stays(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    barrier = threading.Barrier(3, timeout=30)

    def task(n: int) -> dict:
        barrier.wait()
        assert signal.getsignal(signal.SIGTERM) is not before
        return dict(n=n)

    runs = Runs(tmp_path / 'rows.jsonl', _key, jobs=3)
    runs.complete({n: partial(task, n) for n in range(3)}, 'numbers')
    assert sorted(row['n'] for row in read_rows(tmp_path / 'rows.jsonl')) == [0, 1, 2]
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_ends_the_other_runs(tmp_path: Path) -> None:
    runs = Runs(tmp_path / 'rows.jsonl', _key, jobs=2)

    def wait() -> dict:
        runs.train('config.py', dict(sleep=600), 0, tmp_path / 'long')
        return dict(n=0)

    def fail() -> dict:
        while not (tmp_path / 'long' / 'started.jsonl').exists():
            time.sleep(0.02)
        runs.train('config.py', dict(fail='no images'), 0, tmp_path / 'short')
        return dict(n=1)

    def later() -> dict:
        raise AssertionError('it was started after the error')

    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r'a run failed \(error: no images\): see .*log.txt'):
        runs.complete({0: wait, 1: fail, 2: later}, 'numbers')
    assert time.monotonic() - start < 60
    assert not (tmp_path / 'rows.jsonl').exists()
    with pytest.raises(RuntimeError, match='the other runs were ended'):
        runs.train('config.py', {}, 0, tmp_path / 'short')
    # A second start of the same object is a new one.
    runs.complete({2: lambda: dict(n=2)}, 'numbers')
    assert [row['n'] for row in runs.rows] == [2]
    with pytest.raises(ValueError, match='jobs=0 must be at least 1'):
        Runs(tmp_path / 'rows.jsonl', _key, jobs=0)


def test_a_run_gets_its_options_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('os.cpu_count', lambda: 8)
    for jobs, threads, expected in ((3, None, '2'), (16, None, '1'), (3, 5, '5')):
        folder = tmp_path / expected
        runs = Runs(tmp_path / 'rows.jsonl', _key, jobs, threads)
        runs.train('config.py', {'a.b': [1, 2], 'randomness.seed': 3}, 7, folder)
        (started,) = read_rows(folder / 'started.jsonl')
        assert started['options'] == {'a.b': '[1, 2]', 'randomness.seed': '7'}
        assert (started['threads'], started['resume']) == (expected, True)
        assert started['config'] == str(tmp_path / 'config.py')


def test_the_curves_of_a_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path / 'rows.jsonl', _key)
    found = runs.results('config.py', {}, 0, tmp_path / 'run', 'top1', ['loss', 'top1', 'none'])
    assert found == dict(
        curve=[[2, 50.1235]],
        loss=[[1, 3], [2, 1]],
        scalars=dict(loss=[[1, 3.5], [2, 1.5]], top1=[[2, 50.1235]]),
    )
    assert 'scalars' not in read_run(tmp_path / 'run', 'top1', ['none'])
    with pytest.raises(KeyError, match="no 'top5' in the logs of"):
        read_run(tmp_path / 'run', 'top5')


def test_a_run_without_its_last_validation_is_repeated(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'epoch_2.pth').touch()
    # The script validates only if it starts from nothing: a finished run does nothing more.
    found = Runs(tmp_path / 'rows.jsonl', _key).results('config.py', {}, 0, folder, 'top1')
    assert found['curve'] == [[2, 50.1235]]
    starts = read_rows(folder / 'started.jsonl')
    assert [start['checkpoint'] for start in starts] == [True, False]


def test_a_config_is_looked_up_here_and_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config_path('config.py') == str(tmp_path / 'config.py')
    monkeypatch.chdir(tmp_path)
    assert config_path('config.py') == 'config.py'
    monkeypatch.setattr(module, 'package_root', lambda: ROOT)
    former = 'configs/kshot/retrain/cellnet-c8_1xb64-coslr-30e_digits.py'
    assert config_path(former).endswith('/kshot_cellnet-c8_1xb64-coslr-30e_digits.py')
