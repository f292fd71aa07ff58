"""tools/analysis/study.py: rows are kept, a second start does the rest."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import TINY, call, command, environment, folders

STUDY = (
    "metric = 'knn3/top1'\n"
    "scalars = ['loss', 'knn3/top1', 'none']\n"
    "options = {{'train_cfg.max_epochs': 2, 'default_hooks.checkpoint.interval': 2}}\n"
    'variants = {{\n'
    "    'base': dict(config='{config}', seeds=[0, 1]),\n"
    "    'cold': dict(config='{config}', seeds=[0], panel='other',\n"
    "                 metric='knn200/top1',\n"
    "                 options={{'model.head.teacher_temperature': 0.03}}),\n"
    '}}\n'
)


def _study(path: Path, config: Path = TINY) -> Path:
    path.write_text(STUDY.format(config=config))
    return path


def _means(folder: Path) -> list:
    """Epochs and the mean loss of their lines, from what mmengine wrote."""
    (path,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [[x['loss'] for x in lines if x.get('epoch') == e and 'loss' in x] for e in (1, 2)]
    means = [pytest.approx(sum(v) / len(v), abs=1e-4) for v in losses]
    return [[1, means[0]], [2, means[1]]]


def _validations(folder: Path, metric: str) -> list:
    """Epochs and a metric of the validations."""
    (path,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [[x['step'], pytest.approx(x[metric], abs=1e-3)] for x in lines if metric in x]


@pytest.mark.slow
def test_finished_runs_are_kept_and_the_rest_is_done(images: Path, tmp_path: Path) -> None:
    study, work_dir = _study(tmp_path / 'study.py'), tmp_path / 'w'
    arguments = ['analysis/study.py', study, '--work-dir', work_dir, *folders(images)]
    call(*arguments, '--only', 'cold')
    first = (work_dir / 'rows.jsonl').read_text()
    # A stop in the middle of a line must cost that line alone.
    (work_dir / 'rows.jsonl').write_text(first + '{"variant": "ba')
    output = call(*arguments[:4], '--jobs', '2', *arguments[4:])
    lines = (work_dir / 'rows.jsonl').read_text().splitlines()
    assert lines[0] == first.strip()
    rows = [json.loads(line) for line in lines]
    assert sorted((r['variant'], r['seed']) for r in rows) == [
        ('base', 0), ('base', 1), ('cold', 0),
    ]  # fmt: skip
    for row in rows:
        assert [step for step, _ in row['curve']] == [0, 2]
        assert [epoch for epoch, _ in row['loss']] == [1, 2]
        assert row['scalars']['loss'] == _means(work_dir / row['variant'] / f'seed{row["seed"]}')
        metric = 'knn200/top1' if row['variant'] == 'cold' else 'knn3/top1'
        assert row['curve'] == _validations(
            work_dir / row['variant'] / f'seed{row["seed"]}', metric
        )
        assert 'none' not in row['scalars']
    base = sorted((r for r in rows if r['variant'] == 'base'), key=lambda r: r['seed'])
    assert base[0]['loss'] != base[1]['loss'], 'the seed did not reach the run'
    values = [row['curve'][-1][1] for row in base]
    assert f'| {values[0]:.1f}, {values[1]:.1f} | {sum(values) / 2:.1f} |' in output
    with Image.open(work_dir / 'study.png') as picture:
        assert picture.width > 4 * 700  # two panels, and the scalars'
    (log,) = (work_dir / 'cold' / 'seed0').glob('*/*.log')
    assert 'teacher_temperature=0.03' in log.read_text()


@pytest.mark.slow
def test_a_run_without_its_last_validation_is_made_again(images: Path, tmp_path: Path) -> None:
    """As after a stop between the last checkpoint and the validation behind it."""
    study, work_dir = _study(tmp_path / 'study.py'), tmp_path / 'w'
    arguments = ['analysis/study.py', study, '--work-dir', work_dir, '--only', 'cold']
    call(*arguments, *folders(images))
    (first,) = (work_dir / 'rows.jsonl').read_text().splitlines()
    (work_dir / 'rows.jsonl').unlink()
    for scalars in (work_dir / 'cold' / 'seed0').glob('*/vis_data/*.json'):
        lines = scalars.read_text().splitlines()
        scalars.write_text('\n'.join(x for x in lines if 'knn' not in x) + '\n')
    call(*arguments, *folders(images))
    (again,) = (work_dir / 'rows.jsonl').read_text().splitlines()
    for key in ('curve', 'loss'):
        assert json.loads(again)[key] == json.loads(first)[key]


@pytest.mark.slow
def test_a_study_that_is_ended_ends_its_runs(images: Path, tmp_path: Path) -> None:
    study, work_dir = _study(tmp_path / 'study.py'), tmp_path / 'w'
    words = ['analysis/study.py', study, '--work-dir', work_dir, *folders(images)]
    process = subprocess.Popen(command(*words), env=environment(), stderr=subprocess.DEVNULL)

    def started() -> list[int]:
        lines = subprocess.run(['pgrep', '-f', str(work_dir)], capture_output=True, text=True)
        return [int(x) for x in lines.stdout.split() if int(x) != process.pid]

    deadline = time.monotonic() + 120
    while not started():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    assert process.wait(120) == 143
    assert not started()


@pytest.mark.slow
def test_bad_studies_are_named(images: Path, tmp_path: Path) -> None:
    missing = _study(tmp_path / 'missing.py', Path('configs/none.py'))
    tail = ['--work-dir', tmp_path / 'w']
    output = call('analysis/study.py', missing, *tail, fails=True)
    assert "config 'configs/none.py' does not exist" in output
    study = _study(tmp_path / 'study.py')
    assert "--only ['bose']" in call(
        'analysis/study.py', study, *tail, '--only', 'bose', fails=True
    )
    output = call(
        'analysis/study.py', study, *tail, *folders(tmp_path / 'nowhere'), '--only', 'cold',
        fails=True,
    )  # fmt: skip
    assert 'a run failed' in output
    assert 'nowhere' in output
