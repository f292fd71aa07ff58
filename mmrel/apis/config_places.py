"""Add the place in the config to errors raised while building its modules."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmengine.config import Config

from mmrel import registry as registries
from mmrel.utils.signatures import keywords

from .config_check import near_names, registered_names, unknown_key
from .options import ConfigKeyError, dotted_keys

_NOT_REGISTERED = re.compile(r'^(\S+) is not in the .* registry')
_CALL = re.compile(
    r"^(\w+)(?:\.__init__)?\(\) (?:got an unexpected keyword argument '(\w+)'|missing \d+ required)"
)


def _named_in(error: TypeError, name: str) -> Callable | None:
    """The class called ``name`` in one of the modules on the error's traceback."""
    trace = error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_globals.get(name)
        if inspect.isclass(found):
            return found
        trace = trace.tb_next
    return None


@contextmanager
def naming_places(cfg: Config) -> Iterator[None]:
    """Add the place in the config to the error of a constructor that rejects its keys.

    This covers sections without a type, and modules that :func:`check_config` cannot check.

    Raises:
        KeyError: If a class does not accept a key; the message lists the accepted keys.
        TypeError: The constructor's error, prefixed with the place.
    """
    try:
        yield
    except KeyError as error:
        match = _NOT_REGISTERED.match(str(error.args[0] if error.args else ''))
        if match is None or isinstance(error, ConfigKeyError):
            raise
        kind = match.group(1)
        places = [key for key, value in dotted_keys(cfg) if value == kind and '.type' in key]
        if not places:
            raise
        near = near_names(kind, registered_names(registries.MODELS)).strip()
        text = f'{places[0]}={kind!r} is not a registered name; {near}'
        raise ConfigKeyError(text.rstrip('; ')) from error
    except TypeError as error:
        call = _CALL.match(str(error))
        if call is None:
            raise
        name, key = call.groups()
        keys = list(dotted_keys(cfg))
        places = [place.rpartition('.')[0] for place, _ in keys if place.endswith(f'.{key}')]
        found = _named_in(error, name)
        if key and len(places) == 1 and found is not None:
            raise unknown_key(places[0], key, name, keywords(found).names) from error
        places = [
            place.rpartition('.')[0]
            for place, kind in keys
            if place.endswith('.type') and str(kind).split('.')[-1] == name
        ]
        if not places:
            raise
        raise TypeError(f'{" or ".join(places[:2])}: {error}') from error
