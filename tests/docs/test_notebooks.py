"""The notebooks of the documentation: stored without outputs, and their code runs."""

import contextlib
import io
import json
import re
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from mmrel.utils.json_lines import read_rows
from mmrel.visualization import pareto_front
from tests.commands import ROOT
from tests.process_state import as_in_a_new_process

NOTEBOOKS = sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb'))


def _code(name: str) -> list[str]:
    cells = json.loads((ROOT / 'docs' / 'notebooks' / f'{name}.ipynb').read_text())['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


def _run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict, str]:
    """Run a notebook's code in one namespace; the namespace, and what it printed."""
    monkeypatch.setattr(tempfile, 'tempdir', str(folder))
    monkeypatch.chdir(folder)
    names: dict = {}
    output = io.StringIO()
    with as_in_a_new_process(), contextlib.redirect_stdout(output):
        for number, source in enumerate(_code(name), 1):
            exec(compile(source, f'{name}.ipynb, code cell {number}', 'exec'), names)
    return names, output.getvalue()


@pytest.mark.parametrize('file', NOTEBOOKS, ids=lambda file: file.stem)
def test_stored_without_outputs(file: Path) -> None:
    notebook = json.loads(file.read_text())
    code = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
    assert len(code) >= 8
    assert all(cell['outputs'] == [] and cell['execution_count'] is None for cell in code)
    assert notebook['metadata']['kernelspec']['name'] == 'python3'
    assert len({cell['id'] for cell in notebook['cells']}) == len(notebook['cells'])
    for cell in code:
        compile(''.join(cell['source']), file.name, 'exec')


@pytest.mark.slow
def test_own_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, output = _run('own_images', tmp_path, monkeypatch)
    assert 'train 479 images\ntest 120 images\n' in output
    assert '479 training images in 10 classes' in output
    log = names['log']
    assert [line['step'] for line in log.val] == [0, 5, 10]
    # The probe's kNN is the run's, with equal votes instead of weighted ones.
    knn = names['knn']
    assert knn['pre-trained here'] == pytest.approx(log.val[-1]['knn20/top1'], abs=4)
    assert knn['untrained'] < knn['pre-trained here']
    assert names['linear'] > knn['untrained']
    assert tuple(names['features'].shape) == (120, 64)
    for name in ('curves', 'neighbors', 'tsne'):
        with Image.open(names['work'] / f'{name}.png') as picture:
            assert picture.width > 600
    assert len(re.findall(r'^\d/\d{4}\.png: \d \([01]\.\d\d\)$', output, re.M)) == 6


@pytest.mark.slow
def test_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, output = _run('search', tmp_path, monkeypatch)
    assert 'train 539 images\nheldout 180 images\ntest 180 images\n' in output
    assert 'up to 40 paths will be scored: 4 generations of 10' in output
    search = names['work'] / 'search'
    rows = read_rows(str(search / 'paths.jsonl'))
    assert len(rows) == 40
    assert names['best']['score'] == max(row['score'] for row in rows)
    front = pareto_front([row['flops'] for row in rows], [row['score'] for row in rows])
    assert len(json.loads((search / 'pareto.json').read_text())) == len(front)
    with Image.open(search / 'pareto.png') as picture:
        assert picture.width > 600
    # The predictor classifies as the run's last validation did.
    top1 = names['log'].val[-1]['accuracy/top1']
    assert names['right'] == round(top1 * 180 / 100) > 36  # twice as many as by chance
