"""Compute the same metrics for several predictions."""

import copy
from collections.abc import Iterable, Sequence

from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

NETWORKS = ('student', 'teacher')


def check_networks(networks: Sequence[str], mode: str) -> tuple[str, ...]:
    """Validate a loop's ``networks`` setting.

    Args:
        networks (Sequence[str]): The setting.
        mode (str): 'val' or 'test', for the message.

    Returns:
        tuple[str, ...]: The networks.

    Raises:
        ValueError: If the setting is empty or contains an unknown name.
    """
    if isinstance(networks, str) or not networks or not set(networks) <= set(NETWORKS):
        shown = repr(networks) if isinstance(networks, str) else tuple(networks)
        raise ValueError(
            f"{mode}_cfg.networks={shown} must be a list of 'student', 'teacher' or both"
        )
    return tuple(networks)


def evaluators_by_name(
    runner: Runner, evaluator: dict | list, names: Iterable[str], metainfo: dict
) -> list[Evaluator]:
    """Build one evaluator per name. The name is the prefix of its metrics.

    Args:
        runner (Runner): The runner that builds them.
        evaluator (dict | list): Configs of the metrics.
        names (Iterable[str]): Prefixes.
        metainfo (dict): The data set's metainfo.

    Returns:
        list[Evaluator]: The evaluators, in the order of the names.

    Raises:
        TypeError: If ``evaluator`` is already built: its metrics would share a prefix.
    """
    if isinstance(evaluator, Evaluator):
        raise TypeError(
            'val_evaluator is a built Evaluator, but each prediction needs a separate one: give '
            'the configs of its metrics instead'
        )
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    built = []
    for name in names:
        named = [dict(copy.deepcopy(metric), prefix=name) for metric in metrics]
        built.append(runner.build_evaluator(named))
        built[-1].dataset_meta = metainfo
    return built
