"""The package of the plots as a whole."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_importing_does_not_load_matplotlib() -> None:
    code = 'import sys, mmrel.visualization; assert "matplotlib" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)
