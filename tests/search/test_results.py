"""What a search writes to its work dir."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from mmrel.search.results import best_first, results_table, write_results
from mmrel.utils.json_lines import read_rows
from tests.search.toy import PlainSpace, scored_rows


def test_results_are_the_best_and_all(tmp_path: Path) -> None:
    rows = scored_rows()
    rows[4]['score'] = rows[9]['score'] = 99.5
    write_results(str(tmp_path), rows, PlainSpace(), 'flops', 10, None)
    assert read_rows(str(tmp_path / 'paths.jsonl')) == rows
    best = json.loads((tmp_path / 'best_path.json').read_text())
    assert best == dict(
        rows[4], space=PlainSpace().fingerprint()
    )  # the earlier of two equal scores
    top = json.loads((tmp_path / 'top.json').read_text())
    assert [row['score'] for row in top] == sorted((r['score'] for r in rows), reverse=True)[:10]
    table = (tmp_path / 'top.md').read_text().splitlines()
    assert len(table) == 12
    assert table[2].startswith(f'| 1 | 99.50 | {rows[4]["flops"]:,} |')
    for name in ('pareto', 'history'):
        with Image.open(tmp_path / f'{name}.png') as picture:
            assert len(np.unique(np.asarray(picture.convert('RGB')).reshape(-1, 3), axis=0)) > 20
        assert 'plotly.min.js' in (tmp_path / f'{name}.html').read_text()
    assert (tmp_path / 'plotly.min.js').stat().st_size > 10**6
    assert not list(tmp_path.glob('*.partial'))
    assert not (tmp_path / 'retrain.py').exists()


def test_the_table_leaves_out_choices_that_are_equal_in_all_rows() -> None:
    rows = [
        dict(slot=4, generation=1, score=50.126, flops=12345, key='a', path=dict(w=1, s='yes')),
        dict(slot=2, generation=0, score=50.126, flops=9, key='b', path=dict(w=2, s='yes')),
    ]
    assert [row['slot'] for row in best_first(rows)] == [2, 4]
    assert results_table(best_first(rows)) == (
        '| place | top-1 | flops | generation | path | w |\n'
        '|---|---|---|---|---|---|\n'
        '| 1 | 50.13 | 9 | 0 | 2 | 2 |\n'
        '| 2 | 50.13 | 12,345 | 1 | 4 | 1 |\n'
    )
