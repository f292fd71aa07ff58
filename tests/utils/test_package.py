"""Where configs, tools and the model index are."""

from pathlib import Path

import pytest

from mmrel.utils import package
from mmrel.utils.package import package_root
from tests.commands import ROOT


def test_checkout_is_used_as_it_is() -> None:
    assert package_root() == ROOT


def test_a_checkout_comes_before_the_copies_of_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / 'mmrel' / '.mim'
    inside.mkdir(parents=True)
    monkeypatch.setattr(package, '_PACKAGE', tmp_path / 'mmrel')
    with pytest.raises(FileNotFoundError, match=r'\.mim: .* install it with pip') as caught:
        package_root()
    assert str(tmp_path) in str(caught.value)
    (inside / 'model-index.yml').touch()
    assert package_root() == inside
    (tmp_path / 'model-index.yml').touch()
    assert package_root() == tmp_path
