from pathlib import Path

import pytest

from tests.images import make_folder


@pytest.fixture(scope='session')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 3 classes with 16 images each; not to be changed."""
    return make_folder(tmp_path_factory.mktemp('data') / 'images', classes=3, each=16)
