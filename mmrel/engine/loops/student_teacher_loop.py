"""Evaluate student and teacher side by side."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmrel.engine.distributed import unwrap
from mmrel.registry import LOOPS

from .evaluators import check_networks, evaluators_by_name


class _StudentTeacherLoop(BaseLoop):
    """Classify a test set with the student, with the teacher, or with both.

    The images are read once. With both, the log says which one is better.

    Args:
        runner (Runner): The runner. Its model's ``predict`` takes ``network``.
        dataloader (DataLoader | dict): The test set.
        evaluator (Evaluator | dict | list): Metrics. They are computed for each
            network, with its name as prefix: ``teacher/top1``.
        networks (Sequence[str]): 'student', 'teacher' or both. Defaults to both.

    Raises:
        ValueError: If ``networks`` is empty or contains another name.
    """

    mode: str

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        networks: Sequence[str] = ('student', 'teacher'),
    ) -> None:
        networks = check_networks(networks, self.mode)
        super().__init__(runner, dataloader)
        metainfo = getattr(self.dataloader.dataset, 'metainfo', {})
        built = evaluators_by_name(runner, evaluator, networks, metainfo)
        self.evaluators = dict(zip(networks, built, strict=True))

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator of the first network, which mmengine's hooks read."""
        return next(iter(self.evaluators.values()))

    @torch.no_grad()
    def run(self) -> dict:
        """Evaluate.

        Returns:
            dict: Metrics by name, such as ``student/top1`` in percent.
        """
        call = self.runner.call_hook
        call(f'before_{self.mode}')
        call(f'before_{self.mode}_epoch')
        model = unwrap(self.runner.model)
        model.eval()
        for i, batch in enumerate(self.dataloader):
            call(f'before_{self.mode}_iter', batch_idx=i, data_batch=batch)
            data, samples = model.data_preprocessor(batch, False), []
            for network, evaluator in self.evaluators.items():
                samples = model.predict(data['inputs'], data['data_samples'], network)
                # Metrics must read the samples now: the next network overwrites them.
                evaluator.process(data_samples=samples, data_batch=batch)
            call(f'after_{self.mode}_iter', batch_idx=i, data_batch=batch, outputs=samples)
        metrics = {}
        for evaluator in self.evaluators.values():
            metrics.update(evaluator.evaluate(len(self.dataloader.dataset)))
        self._compare(metrics)
        call(f'after_{self.mode}_epoch', metrics=metrics)
        call(f'after_{self.mode}')
        return metrics

    def _compare(self, metrics: dict) -> None:
        """Log which network is better, by the first metric."""
        if len(self.evaluators) < 2:
            return
        name = next(iter(metrics)).partition('/')[2]
        values = {network: metrics[f'{network}/{name}'] for network in self.evaluators}
        better, worse = sorted(values, key=values.__getitem__, reverse=True)
        verdict = f'the {better} is better' if values[better] > values[worse] else 'both are equal'
        self.runner.logger.info(
            f'{name}: student {values["student"]:.2f}, teacher {values["teacher"]:.2f}: {verdict}'
        )


@LOOPS.register_module()
class StudentTeacherValLoop(_StudentTeacherLoop):
    """Student and teacher as ``val_cfg`` (arguments: see the base class)."""

    mode = 'val'


@LOOPS.register_module()
class StudentTeacherTestLoop(_StudentTeacherLoop):
    """Student and teacher as ``test_cfg`` (arguments: see the base class)."""

    mode = 'test'
