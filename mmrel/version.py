"""The version of mmrel."""

__version__ = '0.1.0'
