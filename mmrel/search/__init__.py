"""Search spaces, costs and studies of one-shot architecture search."""

from .space import Option, Path, SearchSpace

__all__ = ['Option', 'Path', 'SearchSpace']
