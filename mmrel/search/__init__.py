"""Architecture search: scoring loops, studies, budgets, results, retraining."""

from mmrel.spaces import __all__ as _spaces
from mmrel.utils.renamed import moved

from .loop import SearchLoop
from .scoring import PathScoringLoop, ScorePathsLoop

__all__ = ['PathScoringLoop', 'ScorePathsLoop', 'SearchLoop']

__getattr__ = moved(
    __name__,
    {name: f'mmrel.spaces.{name}' for name in _spaces} | dict(Path='mmrel.spaces.ArchPath'),
)
