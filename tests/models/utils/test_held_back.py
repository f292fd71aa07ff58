"""Updates that wait until the step is over. For the modules: the memories' and teacher's tests."""

import copy

import torch
from torch import nn

from mmrel.models.utils.held_back import HeldBackUpdate


class _Sum(HeldBackUpdate):
    """Adds what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('total', torch.zeros(2, 2))

    def _make(self, a: torch.Tensor, b: nn.Module) -> None:
        self.total += a @ b.weight


def _layer(value: float) -> nn.Linear:
    layer = nn.Linear(2, 2, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


ONE = torch.eye(2)


def test_an_update_waits_for_the_next_use_and_is_made_once() -> None:
    module, layer = _Sum(), _layer(1)
    module.hold_back(ONE, layer)
    assert module.total.sum() == 0
    nn.init.constant_(layer.weight, 3)  # the optimizer's step
    module.catch_up()
    module.catch_up()
    assert (module.total == 3).all()
    assert not module.total.requires_grad
    assert list(module.state_dict()) == ['total']  # the layer is not a child


def test_the_previous_update_is_made_before_the_next() -> None:
    module = _Sum()
    module.hold_back(ONE, _layer(1))
    module.hold_back(ONE, _layer(2))
    assert (module.total == 1).all()
    assert (module.state_dict()['total'] == 3).all()  # saving makes it, too


def test_loading_forgets_it() -> None:
    module, state = _Sum(), _Sum().state_dict()
    module.hold_back(ONE, _layer(1))
    module.load_state_dict(state)
    module.catch_up()
    assert (module.total == 0).all()


def test_a_copied_model_uses_its_own_modules() -> None:
    model = nn.ModuleDict(dict(layer=_layer(1), sum=_Sum()))
    model['sum'].hold_back(ONE, model['layer'])
    other = copy.deepcopy(model)
    nn.init.constant_(other['layer'].weight, 5)
    for each in (model, other):
        each['sum'].catch_up()
    assert (model['sum'].total == 1).all()
    assert (other['sum'].total == 5).all()


def test_autocast_does_not_round_it() -> None:
    module, value = _Sum(), torch.full((2, 2), 1 / 3)
    module.hold_back(value, _layer(1))
    with torch.autocast('cpu', torch.bfloat16):
        module.catch_up()
    torch.testing.assert_close(module.total, value @ torch.ones(2, 2), rtol=0, atol=0)
