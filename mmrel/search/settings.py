"""Checks of a search's settings."""

from collections.abc import Mapping, Sequence

from mmrel.spaces import PathCost
from mmrel.utils.checks import check_count

from .budget import Budget

SAMPLER_KEYS = ('crossover_prob', 'swapping_prob', 'mutation_prob', 'large_start')


def complete_sampler(
    sampler: Mapping | None, objectives: Sequence[str], identity: object = None
) -> dict:
    """The sampler's settings with ``large_start``, as a study stores them.

    By default half of the first generation is large paths, unless cost is also an objective.
    0 is left out, as in studies older than the key, which go on without large paths.

    Args:
        sampler (Mapping, optional): The given settings.
        objectives (Sequence[str]): The objectives.
        identity (object): What the study that is continued has stored. Defaults to None: a
            new study.

    Returns:
        dict: The settings.
    """
    stored = identity.get('sampler') if isinstance(identity, Mapping) else None
    older = isinstance(stored, Mapping) and 'large_start' not in stored
    default = 0 if older or 'cost' in objectives else 0.5
    settings = dict(dict(large_start=default), **(sampler or {}))
    return {key: value for key, value in settings.items() if key != 'large_start' or value}


def check_settings(
    population: int,
    generations: int,
    objectives: Sequence[str],
    budget: Budget | None,
    cost: PathCost | None,
) -> None:
    """Check the settings that do not depend on a space.

    Raises:
        ValueError: If a setting is invalid. The message has its key and value.
    """
    check_count(2, 'test_cfg', population=population)
    check_count(1, 'test_cfg', generations=generations)
    if tuple(objectives) not in (('accuracy',), ('accuracy', 'cost')):
        raise ValueError(
            f"test_cfg.objectives={tuple(objectives)} must be ('accuracy',) or ('accuracy', 'cost')"
        )
    if 'cost' in objectives and budget is None and cost is None:
        raise ValueError(
            "test_cfg.objectives has 'cost', but no cost is set: set test_cfg.cost=dict(type=...) "
            'or test_cfg.budget'
        )
    if budget is None or cost is None or budget.cost.name != cost.name:
        return
    if not same_cost(budget.cost, cost):
        raise ValueError(
            f'test_cfg.cost and test_cfg.budget.cost are both {cost.name!r}, but with different '
            'settings, and a path has one cost per name: leave test_cfg.cost out, or give both the '
            'same settings'
        )


def same_cost(one: PathCost, other: PathCost) -> bool:
    """Whether two costs have the same type and settings."""

    def settings(cost: PathCost) -> dict:
        public = {k: str(v) for k, v in vars(cost).items() if not k.startswith('_')}
        return dict(public, type=type(cost))

    return settings(one) == settings(other)
