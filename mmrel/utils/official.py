"""Former module of :mod:`mmrel.converters`; remove it in version 0.3."""

from .renamed import moved

_NAMES = ('METHODS', 'convert_checkpoint', 'convert_key')

__getattr__ = moved(__name__, {name: f'mmrel.converters.{name}' for name in _NAMES})
