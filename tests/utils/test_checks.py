import math
import re

import numpy as np
import pytest

from mmrel.utils.checks import (
    check_at_least,
    check_count,
    check_keys,
    check_positive,
    check_within,
    settings_of,
)


def test_valid_numbers_and_none_pass() -> None:
    check_at_least(1, 'a', size=1, dim=math.inf, number=None)
    check_count(1, 'a', k=1, size=np.int64(3), number=None)
    check_positive('a', lr=1e-9, eps=None)
    check_within('[0, 1]', 'a', low=0, high=1, none=None)
    check_within('(0, 1)', 'a', 'advice', middle=0.5)


@pytest.mark.parametrize(
    ('check', 'arguments', 'values', 'message'),
    [
        (check_at_least, (1, 'memory'), dict(size=3, dim=0), 'memory.dim=0 must be at least 1'),
        (check_at_least, (0, ''), dict(seed=-1), 'seed=-1 must not be negative'),
        (check_at_least, (2, 'a.b'), dict(n=math.nan), 'a.b.n=nan must be at least 2'),
        (check_count, (1, 'memory'), dict(size=3, dim=0), 'memory.dim=0 must be at least 1'),
        (check_count, (1, 'model'), dict(k=2.5), 'model.k=2.5 must be a whole number'),
        (check_count, (0, ''), dict(k=True), 'k=True must be a whole number'),
        (check_count, (1, 'model'), dict(k='8'), "model.k='8' must be a whole number"),
        (check_positive, ('head',), dict(t=0.0), 'head.t=0.0 must be positive'),
        (check_positive, ('head',), dict(t=math.nan), 'head.t=nan must be positive'),
        (check_within, ('[0, 1]', 'a'), dict(p=1.1), 'a.p=1.1 is outside [0, 1]'),
        (check_within, ('[0, 1)', 'a'), dict(p=1), 'a.p=1 is outside [0, 1)'),
        (check_within, ('(0, 1]', 'a'), dict(p=0), 'a.p=0 is outside (0, 1]'),
        (check_within, ('(0, 1]', ''), dict(p=math.nan), 'p=nan is outside (0, 1]'),
        (
            check_within,
            ('[0, 1]', 'teacher', 'the papers use 0.99'),
            dict(interval=-1),
            'teacher.interval=-1 is outside [0, 1]; the papers use 0.99',
        ),
    ],
)
def test_a_message_has_the_key_the_value_and_the_range(
    check, arguments: tuple, values: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=f'^{re.escape(message)}$'):
        check(*arguments, **values)


def test_a_group_has_all_its_settings_and_no_others() -> None:
    given = dict(size=3)
    assert settings_of('a.b', given, dim=1, size=2) == dict(dim=1, size=3)
    assert settings_of('a.b', None, dim=None) == dict(dim=None)
    assert given == dict(size=3)
    check_keys('a.b', None, ())
    with pytest.raises(ValueError, match=r'^a\.b\.sise is not a setting: a\.b takes dim, size$'):
        settings_of('a.b', dict(size=3, sise=2), dim=1, size=2)
    with pytest.raises(ValueError, match=r'^a\.b=8 must be a dict with dim, size$'):
        settings_of('a.b', 8, dim=1, size=2)  # type: ignore[arg-type]
