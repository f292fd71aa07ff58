"""The warm-up's position in a run. For real and resumed runs: tests/tools/test_warmup.py."""

import pytest

from mmrel.models.heads import InfoNCEWarmup
from tests.progress import at_iteration


@pytest.mark.parametrize(
    ('epochs', 'first_without'),
    # 10 epochs of 7 iterations. Half an epoch is 3.5 iterations: the fourth still warms up.
    [(4, 28), (1, 7), (0.5, 4), (10, 70), (0, 0)],
)
def test_the_switch_is_at_the_right_iteration(epochs: float, first_without: int) -> None:
    warmup = InfoNCEWarmup(epochs)
    for iteration in range(70):
        with at_iteration(iteration, 70, 10):
            assert warmup.share() == (1.0 if iteration < first_without else 0.0), iteration


def test_the_blend_falls_linearly() -> None:
    warmup = InfoNCEWarmup(4, transition='linear')
    for iteration in range(70):
        with at_iteration(iteration, 70, 10):
            assert warmup.share() == pytest.approx(max(1 - iteration / 28, 0), abs=1e-12)


def test_an_iteration_based_run_is_one_epoch() -> None:
    for warmup in (InfoNCEWarmup(0.25), InfoNCEWarmup(iters=25)):
        with at_iteration(24, 100, 1):
            assert warmup.share() == 1
        with at_iteration(25, 100, 1):
            assert warmup.share() == 0


def test_no_epochs_need_no_runner_others_do() -> None:
    assert InfoNCEWarmup(0).share() == 0
    with pytest.raises(RuntimeError, match=r'warmup\.epochs needs the length of the run'):
        InfoNCEWarmup(1).share()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(epochs=-1), r'warmup\.epochs=-1'),
        (dict(epochs=1, iters=7), r'warmup\.epochs=1 and warmup\.iters=7: give only one'),
        (dict(), r'warmup\.epochs=None and warmup\.iters=None: give only one'),
        (dict(epochs=1, transition='step'), r"warmup\.transition='step'"),
        (dict(epochs=1, temperature=0), r'InfoNCEWarmup\.temperature=0'),
    ],
)
def test_config_errors(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InfoNCEWarmup(**arguments)
