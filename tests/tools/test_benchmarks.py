"""The benchmarks' arithmetic, by a clock of the test's own; the measured steps really run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mmrel.models.algorithms import KShotNAS
from tests.commands import ROOT, TINY_SEARCH, call


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """A function that replaces `timed`, of which the benchmarks take their seconds."""
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'benchmarks')
    import step

    def put(seconds: Callable[[Any, int], float]) -> None:
        calls: list[Any] = []

        def timed(task: Any, device: str) -> float:
            task()
            calls.append(task)
            return seconds(task, len(calls) - 1)

        monkeypatch.setattr(step, 'timed', timed)

    return put


def test_graph_benchmark_prints_ratios_and_growth(set_clock: Callable) -> None:
    def seconds(task: Callable, number: int) -> float:
        batch, step = divmod(number, 15)  # 5 steps of 3 tasks
        if step < 9:
            return 100.0  # the first three steps do not count
        return dict(products=0.002, labels=0.003, whole_head=0.005)[task.__name__] * 4**batch

    set_clock(seconds)
    output = call('benchmarks/graph.py', '--batches', 64, 128, '--dim', 16, '--steps', 2)
    rows = [line.split() for line in output.splitlines() if line.split()[:1] in (['64'], ['128'])]
    assert rows == [
        ['64', '2.00', '3.00', '5.00', '1.50', '2.50'],
        ['128', '8.00', '12.00', '20.00', '1.50', '2.50', '2.00'],
    ]


def test_search_benchmark_prints_rates_and_their_ratio(set_clock: Callable) -> None:
    def seconds(task: Any, number: int) -> float:
        if number < 8:  # the costs of all paths
            return 0.02 if number else 100.0
        path, step = divmod(number - 8, 6)  # 3 rounds of two tasks
        if step < 2:
            return 100.0  # the first round does not count
        return dict(path_accuracy=0.5, forward_only=0.125)[task.func.__name__] * (1 + path)

    set_clock(seconds)
    output = call(
        'benchmarks/search.py', TINY_SEARCH, '--cost', 'ToyFLOPs', '--paths', 2, '--images', 40,
        '--batch', 16, '--classes', 3, '--population', 1000, '--repeats', 2,
    )  # fmt: skip
    assert 'ToyFLOPs: 50,000 path costs per second, 1,000 at once' in output
    # 2 paths in 0.5 + 1 s, and in a quarter of that.
    assert '1.33 scored per second, floor 5.33, ratio 4.000' in output


@pytest.mark.parametrize('number', [0, 65])
def test_kshot_benchmark_checks_the_paths_that_run(set_clock: Callable, number: int) -> None:
    output = call('benchmarks/kshot.py', '--run-paths', number, fails=True)
    assert f'--run-paths {number}: must be from 1 to the batch size' in output


@pytest.mark.slow
def test_kshot_benchmark_prints_the_median_of_paired_ratios(
    set_clock: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_paths = set()
    simplex_loss = KShotNAS.simplex_loss

    def noted(self: KShotNAS, *args: Any, **kwargs: Any) -> dict:
        run_paths.add(self.run_paths)
        return simplex_loss(self, *args, **kwargs)

    monkeypatch.setattr(KShotNAS, 'simplex_loss', noted)

    def seconds(task: Callable, number: int) -> float:
        step, place = divmod(number % 21, 3)  # 7 steps of 3 tasks, twice
        if step < 5:
            return 100.0  # each path's first step does not count
        if place == 2:
            return 0.001
        many = place == step % 2  # who comes first changes
        return {5: (0.002, 0.006), 6: (0.004, 0.020)}[step][many]

    set_clock(seconds)
    size = ('--steps', 2, '--batch', 16, '--k', 2, '--run-paths', 2)
    output = call('benchmarks/kshot.py', '--spaces', 'cells', *size)
    rows = [line.split() for line in output.splitlines() if line.startswith('cells')]
    assert [row[1] for row in rows] == ['NCHW', 'channels-last']
    assert run_paths == {2}
    # Of the pairs 3 and 5: not 13 / 3, the ratio of the medians.
    assert [row[2:7] for row in rows] == [['3.0', '13.0', '4.000', '1.0', '0.08']] * 2
