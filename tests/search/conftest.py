"""Fixtures of the tests of searches."""

from pathlib import Path

import pytest

from mmrel.search.truth_table import TruthTable, read_truth_table
from mmrel.spaces import NASBenchMacroSpace


@pytest.fixture
def table(tables: Path) -> TruthTable:
    """NAS-Bench-Macro's table."""
    return read_truth_table(tables / 'nas_bench_macro_cifar10.csv', NASBenchMacroSpace())
