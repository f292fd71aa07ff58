"""Architecture search as a test loop."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmrel.engine.summary import count
from mmrel.registry import LOOPS, SEARCH_COSTS
from mmrel.utils.checks import check_count, check_keys, settings_of
from mmrel.utils.renamed import former_arguments

from .budget import Budget
from .retraining import find_base, retraining_config
from .scoring import PathScoringLoop
from .settings import SAMPLER_KEYS, check_settings

if TYPE_CHECKING:
    from .study import SearchStudy


@LOOPS.register_module()
@former_arguments(storage='study.storage', study_name='study.name', resume='study.resume')
class SearchLoop(PathScoringLoop):
    """NSGA-II over the paths of a supernet, as ``test_cfg``.

    Ranks, processes and machines share one study. Results are written to the
    work dir after every generation.

    Args:
        runner (Runner): See the base class.
        dataloader (dict): See the base class.
        population (int): Paths per generation. Defaults to 50.
        generations (int): Number of generations. Defaults to 40.
        budget (dict, optional): ``cost``, ``min``, ``max`` (and ``max_draws``)
            of :class:`mmrel.search.budget.Budget`. Defaults to None: every path
            may be scored.
        cost (dict, optional): The cost used as second objective and in the
            plots. Defaults to None: the budget's, else FLOPs.
        objectives (Sequence[str]): ('accuracy',) or ('accuracy', 'cost').
            Defaults to ('accuracy',).
        sampler (Mapping, optional): ``crossover_prob``, ``swapping_prob`` and
            ``mutation_prob`` of NSGA-II, and ``large_start``, the share of large paths
            in the first generation (:class:`.evolution.Evolution`). Defaults to None:
            Optuna's defaults, and ``large_start=0.5`` if accuracy is the only objective: it found
            better networks in two public tables (docs/ranking.md).
        study (Mapping, optional): How the study is stored. Defaults to None: the defaults.

            - ``storage`` (str, optional): See
              :func:`mmrel.search.storage.open_storage`. Defaults to None:
              ``study.journal`` in the work dir.
            - ``name`` (str, optional): The study's name in the storage. Defaults to
              None: the config's name.
            - ``resume`` (bool): Whether to continue an existing study in the work dir.
              A study in ``storage`` is always continued. Defaults to False.
        top (int): Number of paths in the list of the best. Defaults to 10.
        retrain (dict, optional): ``base``: the config from which ``retrain.py``
            takes everything but the network. Defaults to None: it is not written.
        **kwargs: See the base class.

    Raises:
        ValueError: If a setting is out of range, or ``retrain.base`` cannot be
            adapted to a network of the space.
        KeyError: If ``retrain`` has no ``base``.
        FileNotFoundError: If ``retrain.base`` does not exist.
        ConnectionError: If the storage cannot be reached.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list | None = None,
        population: int = 50,
        generations: int = 40,
        budget: dict | None = None,
        cost: dict | None = None,
        objectives: Sequence[str] = ('accuracy',),
        sampler: Mapping | None = None,
        study: Mapping | None = None,
        top: int = 10,
        retrain: dict | None = None,
        **kwargs: Any,
    ) -> None:
        # Optuna takes a second to import, and only a search needs it.
        from .storage import open_storage

        check_keys('test_cfg.sampler', sampler, SAMPLER_KEYS)
        place = settings_of('test_cfg.study', study, storage=None, name=None, resume=False)
        check_count(1, 'test_cfg', top=top)
        if retrain and 'base' not in retrain:
            raise KeyError(
                f'test_cfg.retrain={dict(retrain)} has no base: set it to the config for retraining'
            )
        # A cost's name does not include its settings. A latency's file path is not a setting.
        costs = [c and {k: str(v) for k, v in c.items() if k != 'file'}
                 for c in ((budget or {}).get('cost'), cost)]  # fmt: skip
        self._cost_configs = costs
        limits = Budget(**budget) if budget else None
        built_cost = SEARCH_COSTS.build(cost) if cost else None
        check_settings(population, generations, objectives, limits, built_cost)
        self.settings: dict[str, Any] = dict(
            population=population, generations=generations, objectives=objectives, budget=limits,
            cost=built_cost, sampler=sampler,
        )  # fmt: skip
        self.retrain: dict | None = None
        if retrain:
            self.retrain = dict(
                base=find_base(retrain['base'], runner.cfg.filename),
                imports=runner.cfg.get('custom_imports'),
            )
        self.top = top
        self._scored = 0
        super().__init__(runner, dataloader, evaluator, **kwargs)
        if self.retrain:
            # Fail before the first path is scored, not after the search.
            path = self.space.sample(np.random.default_rng(0))
            retraining_config(self.space, path, remark='', **self.retrain)
        self._own_journal = place['storage'] is None
        self.fresh = self._own_journal and not place['resume']
        journal = os.path.join(runner.work_dir, 'study.journal')
        self._storage = open_storage(place['storage'] or journal)
        self.study_name = place['name'] or Path(runner.cfg.filename or 'search').stem

    def plan(self) -> str:
        """What the run will do, for its first lines."""
        population, generations = self.settings['population'], self.settings['generations']
        budget = self.settings['budget']
        # A small space has fewer.
        return (
            f'up to {count(population * generations, "path")} will be scored: '
            f'{count(generations, "generation")} of {population:,}'
            + (f', {budget}' if budget else '')
        )

    @property
    def cost_name(self) -> str:
        """The name of the cost in the plots."""
        cost, budget = self.settings['cost'], self.settings['budget']
        cost = cost or (budget.cost if budget else None)
        return cost.name if cost else 'flops'

    def run(self) -> dict:
        """Search.

        Returns:
            dict: ``search/top1``, the accuracy of the best path, and
            ``search/paths``, the number of scored paths.

        Raises:
            ValueError: If no path meets the budget, or the study belongs to
                another search.
            FileExistsError: If the work dir has this study and ``resume`` is not
                set, or has another study.
        """
        from .study import SearchStudy, studies_with_paths

        others = [n for n in studies_with_paths(self._storage) if n != self.study_name]
        if self._own_journal and others:
            raise FileExistsError(
                f'the work dir has the study {others[0]!r}, but this search is '
                f'{self.study_name!r}: use another --work-dir, or continue that study by setting '
                'test_cfg.study.name'
            )
        self.runner.call_hook('before_test')
        self._prepare()
        # All ranks join the study that rank 0 has created or found.
        fresh = self.fresh and is_main_process()
        if not is_main_process():
            barrier()
        study = SearchStudy(
            self._storage,
            self.study_name,
            self.space,
            identity=dict(self._identity(), costs=self._cost_configs),
            seed=self.seed,
            fresh=fresh,
            **self.settings,
        )
        if is_main_process():
            barrier()
        started, before, written = time.monotonic(), len(study.rows()), None
        if before:
            self.runner.logger.info(f'the study has {before} scored paths: continuing')
        while (claim := study.claim()) is not None:
            if written is not None and claim.generation != written:
                self._write(study)
            written = claim.generation
            try:
                score = self._score(claim.path, study.beat).accuracy
            except BaseException:
                study.release(claim)
                raise
            if not study.tell(claim, score):
                self.runner.logger.warning(f'path {claim.slot} was taken over by another process')
            self._log(study, claim.slot, score, started, before)
        barrier()
        self._write(study)
        rows = study.rows()
        best = max(row['score'] for row in rows)
        self.runner.call_hook('after_test')
        return {'search/top1': best, 'search/paths': len(rows)}

    def _log(
        self, study: 'SearchStudy', slot: int, score: float, started: float, before: int
    ) -> None:
        if not is_main_process():
            return
        self._scored += 1
        if self._scored % self.log_interval:
            return
        rows = study.rows()
        seconds = (time.monotonic() - started) / max(1, len(rows) - before)
        left = timedelta(seconds=round(seconds * (study.total - len(rows))))
        best = max(rows, key=lambda row: row['score'])
        self.runner.logger.info(
            f'scored {len(rows)} of {study.total} paths  last: {slot} {score:.2f}  best: '
            f'{best["slot"]} {best["score"]:.2f} ({self.cost_name} {best[self.cost_name]:,})  '
            f'{seconds:.2f} s per path  eta: {left}'
        )

    def _write(self, study: 'SearchStudy') -> None:
        if not is_main_process():
            return
        from .results import best_first, results_table, write_results

        rows = study.rows()
        folder = self.runner.work_dir
        write_results(folder, rows, self.space, self.cost_name, self.top, self.retrain)
        best = best_first(rows)
        if len(rows) == study.total:
            self.runner.logger.info(
                f'the best of {len(rows)} paths:\n{results_table(best[: self.top])}'
            )
        self.runner.logger.info(f'results of {len(rows)} paths are in {folder}')
