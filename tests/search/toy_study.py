"""A study of the plain space, for tests."""

from pathlib import Path

from mmrel.search.budget import Budget
from mmrel.search.storage import open_storage
from mmrel.search.study import SearchStudy
from tests.search.toy import PlainSpace, accuracy

BUDGET = dict(cost=dict(type='PlainFLOPs'), min=200, max=300)


def toy_study(where: Path | str, **settings: object) -> SearchStudy:
    """A study of five generations of six paths; settings replace the defaults."""
    budget = Budget(**settings.pop('budget', BUDGET))
    defaults = dict(space=PlainSpace(), identity=dict(checkpoint='a'), population=6, generations=5)
    return SearchStudy(open_storage(str(where)), 'test', budget=budget, **{**defaults, **settings})


def work(study: SearchStudy, count: int = 10**6) -> list[int]:
    """Score up to ``count`` paths. Returns the slots that this process scored."""
    slots = []
    while len(slots) < count and (claim := study.claim()) is not None:
        assert study.tell(claim, accuracy(claim.path))
        slots.append(claim.slot)
    return slots


def toy_journal(file: Path) -> None:
    """Write a journal with one scored path and waiting ones."""
    work(toy_study(file), 1)
