"""Changing a metafile leaves all other lines as they are."""

import pytest
import yaml

from mmrel.utils.metafile import add_entry, read_index, set_fields
from tests.commands import ROOT

TEXT = """\
Collections:
  - Name: a
    README: x.md

Models:
  # The first one.
  - Name: a  # its name
    Metadata:
      Epochs: 2
      # On one machine.
      Training Data: 'any: folder'
    Results: null  # not yet
    Config: a.py
  - Name: ab
    Metadata:
      Epochs: 3
      FLOPs: 7
      Parameters: 8
    Results:
      - Task: x
        Metrics:
          Top 1: 3
    Config: ab.py
    # The end.
"""


def test_fields_are_replaced_or_added_in_place() -> None:
    results = [dict(Task='kNN', Dataset='CIFAR-10', Metrics={'Top 1 Accuracy': 61.5})]
    text = set_fields(TEXT, 'a', {'Metadata.FLOPs': 5, 'Results': results, 'Weights': 'zoo/a'})
    expected = TEXT.replace("'any: folder'\n", "'any: folder'\n      FLOPs: 5\n")
    expected = expected.replace(
        'null  # not yet\n',
        '\n      - Task: kNN\n        Dataset: CIFAR-10\n        Metrics:\n'
        '          Top 1 Accuracy: 61.5\n',
    ).replace('Results: \n', 'Results:\n', 1)
    assert text == expected.replace('Config: a.py\n', 'Config: a.py\n    Weights: zoo/a\n')
    again = set_fields(text, 'a', {'Metadata.FLOPs': 5, 'Results': results, 'Weights': 'zoo/a'})
    assert again == text


def test_the_last_entry_and_nested_fields_are_changed() -> None:
    text = set_fields(TEXT, 'ab', {'Metadata.FLOPs': 1, 'Results': None, 'New': ['x: y']})
    models = yaml.safe_load(text)['Models']
    assert models[0] == yaml.safe_load(TEXT)['Models'][0]
    assert models[1] == dict(
        Name='ab', Metadata=dict(Epochs=3, FLOPs=1, Parameters=8), Results=None, Config='ab.py',
        New=['x: y'],
    )  # fmt: skip
    assert '# The end.' in text


@pytest.mark.parametrize(
    ('text', 'name', 'field', 'error', 'message'),
    [
        (TEXT, 'b', 'X', KeyError, 'no entry has the name b'),
        (TEXT, 'a', 'Results.X', KeyError, 'Results must be a mapping'),
        ('Models: [{Name: a, X: 1}]\n', 'a', 'X', ValueError, 'Name must be the first'),
        ('Models:\n  - Name: a\n    Y: {X: 1}\n', 'a', 'Y.X', ValueError, 'YAML block style'),
    ],
)
def test_what_cannot_be_changed_is_named(
    text: str, name: str, field: str, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        set_fields(text, name, {field: 2})


def test_every_metafile_can_be_changed() -> None:
    for file, entries in read_index(ROOT).items():
        text = file.read_text()
        for entry in (entries[0], entries[len(entries) // 2], entries[-1]):
            fields = {key: value for key, value in entry.items() if key != 'Name'}
            assert set_fields(text, entry['Name'], fields) == text


def test_an_entry_is_added_at_the_end() -> None:
    entry = {'Name': 'new', 'Metadata': {'Epochs': 1}, 'Results': None, 'Config': 'new.py'}
    text = add_entry(TEXT, entry)
    assert text.startswith(TEXT)
    assert yaml.safe_load(text)['Models'][2] == entry
    for odd in (text, 'Models: []\nOther: 1\n'):
        with pytest.raises(ValueError, match='new cannot be added'):
            add_entry(odd, entry)
