"""Converters of the checkpoints that the authors released, one file per method."""

from .official import METHODS, convert_checkpoint, convert_key

__all__ = ['METHODS', 'convert_checkpoint', 'convert_key']
