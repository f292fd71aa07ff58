"""Architecture search: scoring loops, studies, budgets, results, retraining."""

import warnings
from typing import Any

from .loop import SearchLoop
from .scoring import PathScoringLoop, ScorePathsLoop

__all__ = ['PathScoringLoop', 'ScorePathsLoop', 'SearchLoop']


def __getattr__(name: str) -> Any:
    """Names that moved to mmrel.spaces in 0.2.0; remove in 0.3.0."""
    from mmrel import spaces

    if name in spaces.__all__ or name == 'Path':
        warnings.warn(
            f'mmrel.search.{name} is now mmrel.spaces.{name}', DeprecationWarning, stacklevel=2
        )
        return getattr(spaces, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
