"""The tools of the zoo: figures and entries of the metafiles, and the table."""

from pathlib import Path

import pytest
import yaml

from mmrel.utils.metafile import read_index, set_fields
from tests.commands import ROOT, call

DIGITS = 'ressl_demo_digits'


def small_zoo(root: Path, *names: str) -> Path:
    """An index of some of the entries; returns its metafile."""
    (root / 'model-index.yml').write_text('Import:\n  - metafile.yml\n')
    text = 'Models:\n'
    for entries in read_index(ROOT).values():
        for entry in entries:
            if entry['Name'] in names:
                entry['Config'] = str(ROOT / entry['Config'])
                block = yaml.safe_dump([entry], sort_keys=False)
                text += ''.join(f'  {line}\n' for line in block.splitlines())
    (root / 'metafile.yml').write_text(text)
    return root / 'metafile.yml'


def test_every_entry_has_flops_and_parameters() -> None:
    for entries in read_index(ROOT).values():
        for entry in entries:
            figures = entry['Metadata'].get('FLOPs'), entry['Metadata'].get('Parameters')
            assert all(type(value) is int and value > 1000 for value in figures), entry['Name']


def test_figures_are_checked_and_written(tmp_path: Path) -> None:
    linear = 'ressl_resnet18-w16_1xb64-linear-coslr-20e_digits'
    metafile = small_zoo(tmp_path, DIGITS, linear)
    whole = metafile.read_text()
    assert '2 entries, 0 changed' in call('zoo/complexity.py', '--root', tmp_path, '--check')
    for old in (
        set_fields(whole, linear, {'Metadata.FLOPs': 1}),
        whole.replace('      Parameters: 700176\n', '', 1),
    ):
        assert old != whole
        metafile.write_text(old)
        with pytest.raises(ValueError, match='FLOPs or Parameters are out of date'):
            call('zoo/complexity.py', '--root', tmp_path, '--check')
        assert metafile.read_text() == old
        call('zoo/complexity.py', '--root', tmp_path)
        assert metafile.read_text() == whole
    with pytest.raises(ValueError, match='no entry of the zoo matches nothing'):
        call('zoo/complexity.py', 'nothing', '--root', tmp_path)


@pytest.mark.slow
def test_all_figures_are_up_to_date() -> None:
    call('zoo/complexity.py', '--check')


def test_the_table_is_up_to_date() -> None:
    call('zoo/table.py', '--check')


def test_rows_of_the_table(tmp_path: Path) -> None:
    results = [
        {'Task': 'kNN', 'Dataset': 'd', 'Metrics': {'Top 1 Accuracy (k = 20)': 61.2, 'x': 1}},
        {'Task': 'Linear', 'Dataset': 'd', 'Metrics': {'Top 1 Accuracy': 70}},
    ]
    link = 'https://drive.google.com/file/d/1/view'
    entries = [
        dict(
            Name='ours', Config='configs/a/ours.py', Results=results,
            Weights='zoo/ours/model.safetensors',
            Metadata={'Training Data': 'x|y', 'FLOPs': 4_087_136_256, 'Parameters': 999_600},
        ),
        dict(
            Name='theirs', Config='b.py', Results=results[1:], Weights=link,
            Metadata={'FLOPs': 12_673_024, 'Parameters': 803_904},
            **{'Converted From': {'Weights': link, 'Code': 'https://github.com'}},
        ),
        dict(Name='none', Config='c.py', Results=None, Metadata={'FLOPs': 555_417_600}),
    ]  # fmt: skip
    (tmp_path / 'model-index.yml').write_text('Import:\n  - metafile.yml\n')
    (tmp_path / 'metafile.yml').write_text(yaml.safe_dump(dict(Models=entries[::-1])))
    with pytest.raises(ValueError, match=r'model_zoo\.md is out of date'):
        call('zoo/table.py', '--check', '--root', tmp_path)
    assert '3 models' in call('zoo/table.py', '--root', tmp_path)
    call('zoo/table.py', '--check', '--root', tmp_path)
    rows = (tmp_path / 'docs/model_zoo.md').read_text().splitlines()[-3:]
    assert rows == [
        r'| [ours](../configs/a/ours.py) | x\|y | 4.09 G | 1.00 M | kNN, top-1 (k = 20) 61.2; '
        'Linear, top-1 70 | run here | [file](../zoo/ours/model.safetensors), '
        '[commands](../zoo/ours/README.md) |',
        '| [theirs](../b.py) |  | 12.7 M | 804 k | Linear, top-1 70 | reported | '
        f'[the authors]({link}) |',
        '| [none](../c.py) |  | 555 M |  |  |  |  |',
    ]
