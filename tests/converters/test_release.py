"""How a release is read: its patterns in order, then what is left to do."""

import pytest
import torch

from mmrel.converters import official
from mmrel.converters.release import Release


def test_the_first_pattern_wins_and_what_is_left_comes_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = Release(
        entry='weights',
        keys=[(r'^a\.b\.', 'x.'), (r'^a\.', 'y.')],
        finish=lambda theirs, ours: dict(ours, count=len(theirs)),
    )
    monkeypatch.setitem(official._RELEASES, 'new', release)
    assert official.convert_key('new', 'module.a.b.c') == 'x.c'
    assert official.convert_key('new', 'a.c.b') == 'y.c.b'
    found = official.convert_checkpoint('new', dict(weights={'a.b.c': torch.ones(1)}))
    assert found['state_dict'] == {'x.c': torch.ones(1), 'count': 1}
