"""README's commands for the reader's own images, run as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import ROOT
from tests.images import make_folder


@pytest.mark.slow
def test_the_five_lines_for_your_own_images(tmp_path: Path) -> None:
    text = (ROOT / 'README.md').read_text()
    (block,) = re.findall(r'^```bash\n(CONFIG=.*?)^```', text, re.M | re.S)
    assert len(block.splitlines()) == 5
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    for part, each in (('train', 24), ('test', 8)):
        make_folder(tmp_path / 'my_images' / part, classes=3, each=each)
    paths = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    environment = dict(os.environ, PATH=paths, PYTHONPATH=str(ROOT))
    shell = shutil.which('bash')
    assert shell is not None
    done = subprocess.run(
        [shell, '-ec', block], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(re.findall(r'knn20/top1: [\d.]+', done.stdout + done.stderr)) > 1
    for name in ('curves', 'neighbors', 'tsne'):
        with Image.open(tmp_path / 'pictures' / f'{name}.png') as picture:
            assert len(set(picture.convert('RGB').getdata())) > 10
