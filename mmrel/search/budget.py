"""Budgets for the cost of paths, and sampling paths within them."""

from collections.abc import Collection, Sequence

import numpy as np

from mmrel.registry import SEARCH_COSTS
from mmrel.spaces import ArchPath, PathCost, SearchSpace
from mmrel.utils.checks import check_count

# A large path is the largest of the first 50 random paths within the budget, from 1,024 draws.
_LARGE_AMONG, _LARGE_DRAWS = 50, 1024


class Budget:
    """Lower and upper bounds of a cost.

    Args:
        cost (dict): Config of a cost, such as ``dict(type='FLOPsCost')``.
        min (float, optional): Minimum cost of a path. Defaults to None: no limit.
        max (float, optional): Maximum cost of a path. Defaults to None: no limit.
        max_draws (int): Maximum number of random paths tried to find one within
            the bounds. Defaults to 100,000. Use fewer for a measured cost.

    Raises:
        ValueError: If there is no bound, ``min`` exceeds ``max``, or ``max_draws``
            is below 1.
    """

    def __init__(
        self,
        cost: dict,
        min: float | None = None,
        max: float | None = None,
        max_draws: int = 100_000,
    ) -> None:
        if (min is None and max is None) or (min is not None and max is not None and min > max):
            raise ValueError(
                f'budget.min={min}, budget.max={max}: set at least one, with min <= max'
            )
        check_count(1, 'budget', max_draws=max_draws)
        self.cost: PathCost = SEARCH_COSTS.build(cost)
        self.min, self.max, self.max_draws = min, max, max_draws

    def __str__(self) -> str:
        low = '' if self.min is None else f'{self.min:.12g} <= '
        high = '' if self.max is None else f' <= {self.max:.12g}'
        return f'{low}{self.cost.name}{high}'

    def keeps(self, costs: np.ndarray) -> np.ndarray:
        """Which of N costs are within the budget, shape (N,), bool."""
        inside = np.ones(np.shape(costs), dtype=bool)
        if self.min is not None:
            inside &= costs >= self.min
        if self.max is not None:
            inside &= costs <= self.max
        return inside

    def allows(self, space: SearchSpace, path: ArchPath) -> bool:
        """Whether a path is within the budget."""
        return bool(self.keeps(self.cost(space, space.indices([path])))[0])


def draw_path(
    space: SearchSpace,
    budget: Budget | None,
    generator: np.random.Generator,
    taken: Collection[str] = (),
    large: bool = False,
) -> ArchPath | None:
    """Draw a random path within a budget.

    Args:
        space (SearchSpace): The space.
        budget (Budget, optional): The budget. None: any path may be drawn.
        generator (np.random.Generator): Random generator.
        taken (Collection[str]): Keys of paths to exclude.
        large (bool): Whether to draw a large path: the one with the most FLOPs of up to 50
            random ones within the budget. Ignored for a measured cost. Defaults to False.

    Returns:
        ArchPath, optional: The path, or None if no draw was new and within the budget.

    Raises:
        ValueError: If no draw was within the budget, and ``taken`` is empty.
    """
    if large and not getattr(budget and budget.cost, 'measured', False):
        path = _draw_large(space, budget, generator, taken)
        if path is not None:
            return path
    limit = budget.max_draws if budget else 100_000
    drawn, block, found = 0, 1, False
    lowest, highest = np.inf, -np.inf
    while drawn < limit:
        # Start with small blocks: measuring a cost takes time for each path.
        rows = space.sample_indices(min(block, limit - drawn), generator)
        drawn, block = drawn + len(rows), min(2 * block, 4096)
        if budget is not None:
            costs = budget.cost(space, rows)
            lowest, highest = min(lowest, costs.min()), max(highest, costs.max())
            rows = rows[budget.keeps(costs)]
        found |= len(rows) > 0
        # In a small space most paths of a block are duplicates.
        _, first = np.unique(space.canonical(rows), axis=0, return_index=True)
        for path in space.paths(rows[np.sort(first)]):
            if space.key(path) not in taken:
                return path
    if not found and not taken:
        raise ValueError(
            f'no path meets the budget {budget}: {drawn} random paths cost from {lowest:g} to '
            f'{highest:g}; change test_cfg.budget, or raise its max_draws'
        )
    return None


def _draw_large(
    space: SearchSpace,
    budget: Budget | None,
    generator: np.random.Generator,
    taken: Collection[str],
) -> ArchPath | None:
    draws = min(_LARGE_DRAWS, budget.max_draws) if budget else _LARGE_DRAWS
    rows = space.sample_indices(draws, generator)
    if budget is not None:
        rows = rows[budget.keeps(budget.cost(space, rows))]
    rows = rows[:_LARGE_AMONG]
    order = np.argsort(-space.flops(rows), kind='stable')
    return next((p for p in space.paths(rows[order]) if space.key(p) not in taken), None)


def draw_paths(
    space: SearchSpace, budget: Budget | None, n: int, generator: np.random.Generator
) -> list[ArchPath]:
    """Draw N different random paths within a budget.

    Raises:
        ValueError: If fewer are found.
    """
    paths: dict[str, ArchPath] = {}
    while len(paths) < n:
        path = draw_path(space, budget, generator, paths)
        if path is None:
            raise ValueError(
                f'{n} different paths were requested, but only {len(paths)} were found'
                + (f' within the budget {budget}' if budget else '')
            )
        paths[space.key(path)] = path
    return list(paths.values())


def path_costs(
    space: SearchSpace, path: ArchPath, extra: Sequence[PathCost] = ()
) -> dict[str, float]:
    """FLOPs, parameters and additional costs of a path, by name, for JSON."""
    row = space.indices([path])
    costs = dict(flops=space.flops(row)[0].item(), parameters=space.parameters(row)[0].item())
    for cost in extra:
        costs.setdefault(cost.name, np.asarray(cost(space, row))[0].item())
    return costs
