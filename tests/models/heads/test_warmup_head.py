"""The warm-up head alone; in a run, also resumed: tests/tools/test_warmup.py."""

from collections.abc import Callable, Iterator

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor

from mmrel.models.heads import InfoNCEHead, RelationHead, WarmupHead
from mmrel.registry import MODELS

STUDENT, TEACHER, POSITIVE = torch.rand(2, 4, 16), torch.rand(4, 16), torch.rand(2, 4)
INFO_NCE = InfoNCEHead(0.2)(STUDENT, POSITIVE)
RELATION = RelationHead()(STUDENT, TEACHER)


@pytest.fixture
def at_iteration() -> Iterator[Callable[[int, int, int], None]]:
    """Puts a place in a run where the Runner puts it."""
    hub = MessageHub.get_current_instance()
    keys = ('iter', 'max_iters', 'max_epochs')

    def put(*values: int) -> None:
        for key, value in zip(keys, values, strict=True):
            hub.update_info(key, value)

    yield put
    for key in keys:
        hub.pop_info(key, None)


def _head(epochs: float, transition: str = 'switch') -> WarmupHead:
    return MODELS.build(
        dict(
            type='WarmupHead',
            epochs=epochs,
            transition=transition,
            warmup=dict(type='InfoNCEHead', temperature=0.2),
            main=dict(type='RelationHead'),
        )
    )


def _loss(head: WarmupHead) -> Tensor:
    return head.loss(STUDENT, TEACHER, POSITIVE)['loss']


def test_no_epochs_is_the_main_loss_bit_for_bit_without_a_runner() -> None:
    assert torch.equal(_loss(_head(0)), RELATION)


@pytest.mark.parametrize(
    ('epochs', 'first_main'),
    # 10 epochs of 7 iterations. 0.5 epochs: 3.5 iterations, so the fourth still warms up.
    [(4, 28), (1, 7), (0.5, 4), (10, 70)],
)
def test_the_switch_is_at_the_right_iteration(
    at_iteration: Callable, epochs: float, first_main: int
) -> None:
    head = _head(epochs)
    for iteration in range(70):
        at_iteration(iteration, 70, 10)
        expected = INFO_NCE if iteration < first_main else RELATION
        assert torch.equal(_loss(head), expected), iteration


def test_the_blend_rises_linearly(at_iteration: Callable) -> None:
    head = _head(4, 'linear')
    for iteration in range(70):
        at_iteration(iteration, 70, 10)
        share = min(iteration / 28, 1)
        torch.testing.assert_close(_loss(head), (1 - share) * INFO_NCE + share * RELATION)
    assert torch.equal(_loss(head), RELATION)


def test_a_length_without_a_runner_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r'head\.epochs needs the length of the run'):
        _loss(_head(1))


@pytest.mark.parametrize(
    ('change', 'message'),
    [(dict(epochs=-1), r'head\.epochs=-1'), (dict(transition='step'), r"transition='step'")],
)
def test_config_errors(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _head(**dict(dict(epochs=1), **change))
