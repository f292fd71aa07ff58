"""Lengths of warm-ups, against the iteration counted by hand."""

import pytest

from mmrel.models.utils import Warmup
from tests.progress import at_iteration


@pytest.mark.parametrize(
    ('warmup', 'iterations'),
    # 5 epochs of 7 iterations. Half an epoch is 3.5 iterations: the fourth still warms up.
    [
        (Warmup(2), 14),
        (Warmup(0.5), 4),
        (Warmup(0), 0),
        (Warmup(iters=9), 9),
        (Warmup(iters=0), 0),
        (Warmup(99), 35),
    ],
)
def test_it_is_over_after_its_iterations(warmup: Warmup, iterations: int) -> None:
    for iteration in range(35):
        with at_iteration(iteration, 35, 5):
            assert warmup.over() == (iteration >= iterations), iteration


@pytest.mark.parametrize('warmup', [Warmup(2), Warmup(iters=14)])
def test_what_is_left_falls_linearly(warmup: Warmup) -> None:
    for iteration in range(35):
        with at_iteration(iteration, 35, 5):
            assert warmup.left() == pytest.approx(max(1 - iteration / 14, 0), abs=1e-12)


def test_a_length_needs_a_run_and_none_does_not() -> None:
    assert Warmup(0).over()
    assert Warmup(iters=0).over()
    with pytest.raises(RuntimeError, match=r'a\.iters needs the length of the run'):
        Warmup(iters=1, key='a').left()
    with pytest.raises(RuntimeError, match=r'a\.epochs needs the length of the run'):
        Warmup(1, key='a').over()


@pytest.mark.parametrize(
    ('lengths', 'refused'),
    [
        (dict(epochs=4.5), False),
        (dict(epochs=5), True),
        (dict(iters=34), False),
        (dict(iters=35), True),
        (dict(epochs=0), False),
    ],
)
def test_a_warm_up_that_must_end(lengths: dict, refused: bool) -> None:
    warmup = Warmup(**lengths)
    with at_iteration(0, 35, 5):
        if not refused:
            warmup.check_end('')
            return
        with pytest.raises(
            ValueError, match=r'not shorter than the run of (35 iters|5 epochs) .*x;'
        ):
            warmup.check_end('x')


@pytest.mark.parametrize(
    ('lengths', 'message'),
    [
        (dict(), r'a\.epochs=None and a\.iters=None: give only one'),
        (dict(epochs=1, iters=1), r'a\.epochs=1 and a\.iters=1: give only one'),
        (dict(epochs=-1), r'a\.epochs=-1 must not be negative'),
        (dict(iters=-3), r'a\.iters=-3 must not be negative'),
    ],
)
def test_wrong_lengths_are_refused(lengths: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Warmup(**lengths, key='a')


@pytest.mark.parametrize(
    ('config', 'old', 'expected', 'said'),
    [
        (None, {}, (0, None), None),
        (dict(iters=4), {}, (None, 4), None),
        (dict(iters=4), dict(epochs=None, iters=None), (None, 4), None),
        (
            dict(iters=4),
            dict(epochs=2, iters=None),
            (2, None),
            'a_epochs=2 is now a=dict(epochs=2)',
        ),
        (dict(epochs=5), dict(epochs=0), (0, None), 'a_epochs=0 is now a=dict(epochs=0)'),
        (dict(epochs=5), dict(epochs=None, iters=3), (None, 3), 'a_iters=3 is now a=dict(iters=3)'),
    ],
)
def test_keys_of_version_0_1_take_precedence_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
    config: dict | None,
    old: dict,
    expected: tuple,
    said: str | None,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr('mmrel.models.utils.warmup.print_log', lambda text, **_: lines.append(text))
    warmup = Warmup.from_config('a', config, **old)
    assert (warmup.epochs, warmup.iters) == expected
    assert [line.partition(';')[0] for line in lines] == ([said] if said else [])


def test_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r'a\.epoch is not a setting: a takes epochs, iters'):
        Warmup.from_config('a', dict(epoch=3))
