import re

import pytest

from tests.commands import TINY_SEARCH, call


def test_graph_benchmark_prints_ratios_and_growth() -> None:
    output = call('benchmarks/graph.py', '--batches', 64, 128, '--dim', 16, '--steps', 2)
    rows = [line.split() for line in output.splitlines() if line.split()[:1] in (['64'], ['128'])]
    assert [len(row) for row in rows] == [6, 7]
    for row in rows:
        products, labels, head, *ratios = map(float, row[1:6])
        # Printed to a hundredth of a millisecond: the ratios are of finer times.
        assert ratios[0] == pytest.approx(labels / products, rel=0.2 + 0.02 / products)
        assert ratios[1] == pytest.approx(head / products, rel=0.2 + 0.02 / products)


def test_search_benchmark_prints_rates_and_their_ratio() -> None:
    output = call(
        'benchmarks/search.py', TINY_SEARCH, '--cost', 'ToyFLOPs', '--paths', 2, '--images', 40,
        '--batch', 16, '--classes', 3, '--population', 1000,
    )  # fmt: skip
    costed = re.search(r'ToyFLOPs: ([\d,]+) paths costed per second, 1,000 at once', output)
    assert float(costed[1].replace(',', '')) > 1000
    scored, floor, ratio = map(
        float,
        re.search(r'([\d.]+) scored per second, floor ([\d.]+), ratio ([\d.]+)', output).groups(),
    )
    assert ratio == pytest.approx(floor / scored, rel=0.02 + 0.01 / scored)
