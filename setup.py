"""The build command of mmrel; its metadata is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDERS = ('configs', 'tools', 'zoo')


def link_to_repository(target: Path) -> None:
    """Fill a folder with relative links to what a wheel has in it."""
    if target.is_symlink() or not target.is_dir():
        target.unlink(missing_ok=True)
        target.mkdir()
    for name in (*FOLDERS, 'model-index.yml'):
        link = target / name
        if not link.is_symlink():
            link.symlink_to(Path('..', '..', name))


class BuildWithConfigs(build_py):
    """Put what stands beside the package under ``mmrel/.mim``, as OpenMMLab does.

    An editable installation gets links, for mmengine's hub and mim.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            link_to_repository(ROOT / 'mmrel' / '.mim')
            return
        target = Path(self.build_lib) / 'mmrel' / '.mim'
        # What an earlier build left there may since have been renamed.
        shutil.rmtree(target, ignore_errors=True)
        compiled = shutil.ignore_patterns('__pycache__', '*.py[cod]')
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, target / folder, ignore=compiled)
        shutil.copy2(ROOT / 'model-index.yml', target)


setup(cmdclass=dict(build_py=BuildWithConfigs))
