"""Installation of mmrel."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
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


def requirements(name: str) -> list[str]:
    """The lines of requirements/NAME.txt, comments left out."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def version() -> str:
    scope: dict = {}
    exec((ROOT / 'mmrel' / 'version.py').read_text(), scope)
    return scope['__version__']


setup(
    name='mmrel',
    version=version(),
    description='OpenMMLab-style toolbox for relational representation learning and one-shot '
    'architecture search',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmrel', 'mmrel.*']),
    cmdclass=dict(build_py=BuildWithConfigs),
    python_requires='>=3.11',
    install_requires=requirements('runtime'),
    extras_require={
        'onedl': requirements('mminstall'),
        'openmmlab': requirements('openmmlab'),
        'docs': requirements('docs'),
        'parquet': requirements('parquet'),
        'export': requirements('export'),
        'gdrive': requirements('gdrive'),
        'mmdet': requirements('mmdet'),
        'mmseg': requirements('mmseg'),
        'tests': requirements('tests') + requirements('parquet') + requirements('export'),
        'visualization': requirements('visualization'),
    },
)
