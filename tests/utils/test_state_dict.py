"""Checkpoints that do not fit are described, and digests tell states apart."""

import pytest
import torch
from torch import Tensor, nn

from mmrel.utils.state_dict import (
    adapt_state_dict,
    check_finite,
    compare_state_dict,
    let_modules_check,
    state_digest,
    weights_of,
)


def test_differences_by_hand() -> None:
    expected = dict(
        a=torch.zeros(2), b=torch.zeros(2), c=torch.zeros(2), d=torch.zeros(2, dtype=torch.long),
        e=torch.zeros(1), **{'bn.num_batches_tracked': torch.zeros(())},
    )  # fmt: skip
    given = dict(
        b=torch.zeros(3), c=torch.zeros(2, dtype=torch.long), d=torch.zeros(2, dtype=torch.int8),
        e=torch.zeros(1, dtype=torch.float16), **{'x\ny': torch.zeros(1)},
    )  # fmt: skip
    difference = compare_state_dict(expected, given)
    assert difference.missing == ['a']
    assert difference.wrong_shape == ['b (model (2,), checkpoint (3,))']
    assert difference.wrong_type == ['c (model torch.float32, checkpoint torch.int64)']
    assert difference.unexpected == ["'x\\ny'"], 'a key of a file must not break the line'
    assert difference
    assert not compare_state_dict(expected, expected)


def test_long_lists_are_shortened() -> None:
    given = {f'k{i}': torch.zeros(1) for i in range(8)}
    text = compare_state_dict(dict(a=torch.zeros(1)), given).describe('it does not fit')
    assert text == (
        'it does not fit:\n  1 missing in the checkpoint: a; '
        '8 unexpected in the checkpoint: k0, k1, k2, k3, k4, k5, and 2 more'
    )


def test_weights_are_found_with_and_without_an_entry() -> None:
    weights = {'module.a': torch.ones(1), 'module.b._extra_state': 3}
    for content in (weights, dict(state_dict=weights, meta={})):
        assert weights_of(content, 'x') == {'a': weights['module.a'], 'b._extra_state': 3}
    for content in ([], {}, dict(state_dict={}), dict(state_dict=[1]), None):
        with pytest.raises(RuntimeError, match=r'^x has no weights: it lacks a state_dict$'):
            weights_of(content, 'x')
    for content, message in ((dict(a=3), "'a' is a int"), ({1: torch.ones(1)}, "'1' is a Tensor")):
        with pytest.raises(RuntimeError, match=f'^x is not a state dict: {message}, not a tensor'):
            weights_of(content, 'x')


@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.bfloat16, torch.float8_e5m2, torch.complex64]
)
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_weights_of_a_diverged_training_are_refused(
    dtype: torch.dtype, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = dict(a=torch.ones(2).to(dtype), n=torch.tensor([2**62]), b=torch.tensor([True]), x='y')
    check_finite(sound, 'x')
    state = dict(sound, w=torch.tensor([1.0, value]).to(dtype))
    message = (
        r'^x has NaN or infinite values in 1 of 4 tensors \(first: w\): .*MMREL_ALLOW_NONFINITE=1'
    )
    with pytest.raises(RuntimeError, match=message):
        check_finite(state, 'x')
    monkeypatch.setenv('MMREL_ALLOW_NONFINITE', '1')
    check_finite(state, 'x')


class _Renames(nn.Linear):
    """Takes its weight by an old name, and knows which ones it does not take."""

    def _load_from_state_dict(self, *args: object) -> None:
        raise AssertionError('nothing may be loaded')

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.register_load_state_dict_pre_hook(self._rename)

    @staticmethod
    def _rename(module: nn.Module, state: dict, prefix: str, *rest: list) -> None:
        if f'{prefix}old' in state:
            state[f'{prefix}weight'] = state.pop(f'{prefix}old')
        if f'{prefix}older' in state:
            rest[-1].append(f'{prefix}older is too old')

    def check_state_dict(self, state: dict, prefix: str) -> None:
        if f'{prefix}oldest' in state:
            raise ValueError(f'{prefix}oldest')


def test_hooks_change_a_copy_and_report_their_errors() -> None:
    model, weight = nn.Sequential(nn.ReLU(), _Renames()), torch.ones(2, 2)
    given = {'1.old': weight}
    assert adapt_state_dict(model, given) == {'1.weight': weight}
    assert given == {'1.old': weight}
    assert adapt_state_dict(model[1], dict(old=weight)) == dict(weight=weight)
    with pytest.raises(RuntimeError, match=r'^1\.older is too old$'):
        adapt_state_dict(model, {'1.older': weight})


def test_modules_check_what_begins_with_their_name() -> None:
    model = nn.Sequential(nn.ReLU(), _Renames())
    let_modules_check(model, dict(oldest=1))
    with pytest.raises(ValueError, match=r'^1\.oldest$'):
        let_modules_check(model, {'1.oldest': 1})
    with pytest.raises(ValueError, match=r'^oldest$'):
        let_modules_check(model[1], dict(oldest=1))


class _State(nn.Module):
    def __init__(self, value: Tensor, name: str = 'a', extra: object = 0) -> None:
        super().__init__()
        self.register_buffer(name, value)
        self.extra = extra

    def get_extra_state(self) -> object:
        return self.extra


def test_the_digest_tells_all_states_apart_but_not_memory_formats() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    others = [
        _State(x.view(4)), _State(x.half()), _State(x.bfloat16()), _State(-x), _State(x, 'b'),
        _State(x, extra=1), _State(x.t()), _State(x.view(torch.int32)),
    ]  # fmt: skip
    digests = {state_digest(module) for module in (_State(x), *others)}
    assert len(digests) == 1 + len(others)
    assert state_digest(_State(x.t().contiguous().t())) == state_digest(_State(x.clone()))
