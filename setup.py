"""The build command of mmrel; its metadata is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDERS = ('configs', 'tools', 'zoo')


def link_to_repository(target: Path) -> None:
    """Fill a folder with relative links to the files that a wheel would contain."""
    if target.is_symlink() or not target.is_dir():
        target.unlink(missing_ok=True)
        target.mkdir()
    for name in (*FOLDERS, 'model-index.yml'):
        link = target / name
        if not link.is_symlink():
            link.symlink_to(Path('..', '..', name))


class BuildWithConfigs(build_py):
    """Copy configs, tools and zoo to ``mmrel/.mim``, where mmengine's hub and mim look for them.

    An editable installation gets links instead.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            link_to_repository(ROOT / 'mmrel' / '.mim')
            return
        target = Path(self.build_lib) / 'mmrel' / '.mim'
        # Remove files of an earlier build that were renamed since.
        shutil.rmtree(target, ignore_errors=True)
        compiled = shutil.ignore_patterns('__pycache__', '*.py[cod]')
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, target / folder, ignore=compiled)
        shutil.copy2(ROOT / 'model-index.yml', target)


setup(cmdclass=dict(build_py=BuildWithConfigs))
