"""`make demo`'s program, whole."""

import re
from pathlib import Path

import pytest

from tests.commands import call


@pytest.mark.slow
def test_demo_improves_on_the_untrained_network_and_draws(tmp_path: Path) -> None:
    output = call('demo.py', '--work-dir', tmp_path / 'with space')
    scores = {
        name: float(re.search(rf'{re.escape(name)}\s*│\s*([\d.]+)', output)[1])
        for name in (
            'kNN (k = 200), untrained',
            'kNN (k = 200), after ReSSL',
            'linear, after ReSSL',
        )
    }
    before, after, linear = scores.values()
    assert after > before + 20
    assert linear > 75
    for name in ('curves', 'neighbors', 'tsne'):
        assert (tmp_path / 'with space' / 'pictures' / f'{name}.png').stat().st_size > 10_000
