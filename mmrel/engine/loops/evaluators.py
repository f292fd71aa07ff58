"""The same metrics of several predictions."""

import copy
from collections.abc import Iterable

from mmengine.evaluator import Evaluator
from mmengine.runner import Runner


def evaluators_by_name(
    runner: Runner, evaluator: Evaluator | dict | list, names: Iterable[str], metainfo: dict
) -> list[Evaluator]:
    """One evaluator for each name, which is the prefix of its metrics.

    Args:
        runner (Runner): Builds them.
        evaluator (Evaluator | dict | list): Configs of the metrics.
        names (Iterable[str]): Prefixes.
        metainfo (dict): Of the data set.

    Returns:
        list[Evaluator]: In the order of the names.
    """
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    built = []
    for name in names:
        named = [dict(copy.deepcopy(metric), prefix=name) for metric in metrics]
        built.append(runner.build_evaluator(named))
        built[-1].dataset_meta = metainfo
    return built
