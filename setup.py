"""Installation of mmrel."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


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
    python_requires='>=3.11',
    install_requires=requirements('runtime'),
    extras_require={
        'onedl': requirements('mminstall'),
        'openmmlab': requirements('openmmlab'),
        'tests': requirements('tests'),
        'visualization': requirements('visualization'),
    },
)
