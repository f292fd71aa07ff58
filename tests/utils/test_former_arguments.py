"""Former names of arguments."""

import pytest

from mmrel.utils.renamed import former_arguments
from mmrel.utils.signatures import keywords


@former_arguments(colour='color')
class _Thing:
    def __init__(self, color: str, size: int = 1) -> None:
        self.color, self.size = color, size


def test_a_former_name_works_and_is_named_in_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr('mmrel.utils.renamed.print_log', lambda text, **_: lines.append(text))
    thing = _Thing(colour='red', size=3)
    assert (thing.color, thing.size) == ('red', 3)
    (line,) = lines
    assert line.startswith('colour of _Thing is now named color; ')


def test_a_former_name_overrides_the_new_one_of_a_base() -> None:
    assert _Thing(color='red', colour='blue').color == 'blue'


def test_config_checks_know_both_names() -> None:
    found = keywords(_Thing)
    assert set(found.names) == {'color', 'colour', 'size'}
    assert found.required == ()


@former_arguments(width='size.width', net='size.net')
class _Grouped:
    def __init__(self, size: dict | None = None) -> None:
        self.size = size


def test_a_former_name_may_be_a_key_of_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr('mmrel.utils.renamed.print_log', lambda text, **_: lines.append(text))
    assert _Grouped(width=3).size == dict(width=3)
    assert lines.pop().startswith('width of _Grouped is now named size.width; ')
    base = dict(width=1, height=2, net=dict(a=1, b=2))
    assert _Grouped(width=3, size=base).size == dict(base, width=3)
    assert _Grouped(width=None, size=base).size == dict(base, width=None)
    # Dicts are merged, as a child config's with those of its base.
    assert _Grouped(net=dict(b=3), size=base).size == dict(base, net=dict(a=1, b=3))
    assert _Grouped(net=dict(b=3, _delete_=True), size=base).size == dict(base, net=dict(b=3))
    assert base == dict(width=1, height=2, net=dict(a=1, b=2))
    assert set(keywords(_Grouped).names) == {'size', 'width', 'net'}


def test_an_unknown_name_is_still_an_error() -> None:
    with pytest.raises(TypeError, match='kolor'):
        _Thing(kolor='red')
