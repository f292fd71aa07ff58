"""Range checks of arguments, with the errors that users see.

Each function takes the numbers by keyword and skips those that are None. A message has
the argument with its place in the config, its value and the valid range.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np


def _name(place: str, key: str, value: object) -> str:
    return f'{place}.{key}={value}'.removeprefix('.')


def check_count(least: int, place: str, /, **values: Any) -> None:
    """Refuse what is not a whole number, and numbers below a limit.

    Args:
        least (int): The limit.
        place (str): Where the arguments are set, such as 'model.memory'; may be empty.
        **values (int, optional): The numbers.

    Raises:
        ValueError: If a value is a fraction, is not a number, or is below the limit.
    """
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f'{place}.{key}={value!r} must be a whole number'.removeprefix('.'))
        check_at_least(least, place, **{key: int(value)})


def check_at_least(least: float, place: str, /, **values: float | None) -> None:
    """Refuse numbers below a limit, and NaN.

    Args:
        least (float): The limit.
        place (str): As for :func:`check_count`.
        **values (float, optional): The numbers.

    Raises:
        ValueError: If a number is below the limit.
    """
    text = 'must not be negative' if least == 0 else f'must be at least {least}'
    for key, value in values.items():
        if value is not None and not value >= least:
            raise ValueError(f'{_name(place, key, value)} {text}')


def check_positive(place: str, /, **values: float | None) -> None:
    """Refuse numbers that are not above 0; see :func:`check_at_least`."""
    for key, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f'{_name(place, key, value)} must be positive')


def check_within(interval: str, place: str, advice: str = '', /, **values: float | None) -> None:
    """Refuse numbers outside an interval, and NaN.

    Args:
        interval (str): Such as '[0, 1)': 0 is valid, 1 is not.
        place (str): As for :func:`check_at_least`.
        advice (str): Added to the message. Defaults to ''.
        **values (float, optional): The numbers.

    Raises:
        ValueError: If a number is outside.
    """
    low, high = map(float, interval[1:-1].split(','))
    for key, value in values.items():
        if value is None:
            continue
        inside = low <= value <= high
        inside &= (interval[0] == '[' or value != low) and (interval[-1] == ']' or value != high)
        if not inside:
            text = f'{_name(place, key, value)} is outside {interval}'
            raise ValueError('; '.join(filter(None, (text, advice))))


def check_keys(place: str, given: Mapping | None, names: Collection[str]) -> None:
    """Refuse settings that do not exist.

    Args:
        place (str): Where the settings are, such as 'model.simplex'.
        given (Mapping, optional): The settings.
        names (Collection[str]): The valid ones.

    Raises:
        ValueError: If there is another one, or the settings are not a dict.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f'{place}={given!r} must be a dict with {", ".join(names)}')
    for key in given or {}:
        if key not in names:
            raise ValueError(f'{place}.{key} is not a setting: {place} takes {", ".join(names)}')


def settings_of(place: str, given: Mapping | None, **defaults: Any) -> dict[str, Any]:
    """The settings of an argument that groups several.

    Args:
        place (str): As for :func:`check_keys`.
        given (Mapping, optional): Settings that differ from the defaults. None: none do.
        **defaults: All settings.

    Returns:
        dict: All settings.

    Raises:
        ValueError: As for :func:`check_keys`.
    """
    check_keys(place, given, defaults)
    return {**defaults, **(given or {})}
