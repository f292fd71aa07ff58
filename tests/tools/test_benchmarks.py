import pytest

from tests.commands import run


def test_graph_benchmark_prints_ratios_and_growth() -> None:
    output = run('benchmarks/graph.py', '--batches', 64, 128, '--dim', 16, '--steps', 2)
    rows = [line.split() for line in output.splitlines() if line.split()[:1] in (['64'], ['128'])]
    assert [len(row) for row in rows] == [6, 7]
    for row in rows:
        products, labels, head, *ratios = map(float, row[1:6])
        # Printed to a hundredth of a millisecond: the ratios are of finer times.
        assert ratios[0] == pytest.approx(labels / products, rel=0.2 + 0.02 / products)
        assert ratios[1] == pytest.approx(head / products, rel=0.2 + 0.02 / products)
