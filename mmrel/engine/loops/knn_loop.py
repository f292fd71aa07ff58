"""kNN evaluation as a val and a test loop."""

from collections.abc import Sequence, Sized
from typing import cast

import torch
from mmengine.dist import all_reduce
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.utils.data import DataLoader

from mmrel.datasets.class_names import class_names, match_classes
from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import plain_loader_config
from mmrel.evaluation.knn import knn_scores
from mmrel.evaluation.knn_checks import check_labels, check_settings
from mmrel.models.utils.features import batch_features, network
from mmrel.registry import LOOPS

from .evaluators import check_networks, evaluators_by_name


class KNNLoop(BaseLoop):
    """Classify queries by a weighted kNN vote over a feature bank.

    The features are the backbone's, pooled. Both loaders should use a pipeline
    without augmentation. The images are read only once, even for two networks.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The queries (a test set).
        evaluator (Evaluator | dict | list): Metrics of the class scores. They
            are computed for each k, with the prefix ``knn{k}`` (for the teacher,
            ``teacher/knn{k}``).
        bank_dataloader (DataLoader | dict, optional): The bank. A dict is
            merged into the default: the config's training set, every sample
            once, with the pipeline and batch size of ``dataloader``. Defaults
            to None: no changes.
        k (int | Sequence[int]): Number of neighbors that vote. Defaults to
            (20, 100, 200).
        temperature (float): Temperature of the votes. Defaults to 0.07.
        networks (Sequence[str]): Whose backbone to use: 'student', 'teacher' or
            both. Defaults to ('student',).

    Raises:
        ValueError: If a setting is invalid, the teacher is requested but the
            model has none, or there is no source for the bank.
    """

    mode: str
    bank_dataloader: DataLoader
    # A checkpoint with only the backbone is sufficient (see StrictLoadHook).
    uses_backbone_alone = True

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        bank_dataloader: DataLoader | dict | None = None,
        k: int | Sequence[int] = (20, 100, 200),
        temperature: float = 0.07,
        networks: Sequence[str] = ('student',),
    ) -> None:
        self.networks = check_networks(networks, self.mode)
        if 'teacher' in self.networks:
            try:
                network(unwrap(runner.model), teacher=True)
            except ValueError as error:
                raise ValueError(f'{self.mode}_cfg.networks={self.networks}: {error}') from None
        if not isinstance(bank_dataloader, DataLoader):
            if not isinstance(dataloader, dict) or not runner.cfg.get('train_dataloader'):
                raise ValueError(
                    'kNN needs bank_dataloader: there is no train_dataloader to derive it from'
                )
            bank = plain_loader_config(runner.cfg, dataloader, bank_dataloader or {})
            bank_dataloader = runner.build_dataloader(bank, seed=runner.seed)
        super().__init__(runner, dataloader)
        self.bank_dataloader = cast(DataLoader, bank_dataloader)
        self.k = (k,) if isinstance(k, int) else tuple(k)
        try:
            check_settings(self.k, temperature)
        except ValueError as error:
            raise ValueError(f'{self.mode}_cfg ({type(self).__name__}): {error}') from None
        self.temperature = temperature
        self.classes = self._match_classes()
        metainfo = getattr(self.dataloader.dataset, 'metainfo', {})
        self.evaluators: dict[tuple[str, int], Evaluator] = {}
        for name in self.networks:
            prefix = 'teacher/' if name == 'teacher' else ''
            prefixes = [f'{prefix}knn{n}' for n in self.k]
            built = evaluators_by_name(runner, evaluator, prefixes, metainfo)
            self.evaluators.update(zip([(name, n) for n in self.k], built, strict=True))

    def plan(self) -> str:
        """What a test will do, for its first lines (mmrel.engine.summary)."""
        bank = cast(Sized, self.bank_dataloader.dataset)
        return f'kNN among {len(bank):,} labeled images'

    def _match_classes(self) -> tuple[str, ...] | None:
        """Number the queries' classes like the bank's."""
        queries, names = self.dataloader.dataset, class_names(self.bank_dataloader.dataset)
        if names is None:
            return class_names(queries)
        match_classes(queries, names, f'{self.mode}_dataloader.dataset', 'the kNN bank')
        return names

    @property
    def evaluator(self) -> Evaluator:
        """The first network's evaluator for the first k, which mmengine's hooks read."""
        return next(iter(self.evaluators.values()))

    def _labels(self, samples: list[BaseDataElement], loader: DataLoader) -> Tensor:
        if any('gt_label' not in sample for sample in samples):
            raise ValueError(
                f'kNN needs labels, but {type(loader.dataset).__name__} has none: use a data '
                f'set with classes, or leave out {self.mode}_dataloader, _cfg and _evaluator'
            )
        return torch.cat([sample.gt_label for sample in samples])

    @torch.no_grad()
    def run(self) -> dict:
        """Evaluate.

        Returns:
            dict: Metrics by name, such as ``knn200/top1`` in percent.
        """
        call = self.runner.call_hook
        call(f'before_{self.mode}')
        call(f'before_{self.mode}_epoch')
        model = unwrap(self.runner.model).eval()
        teachers = [name == 'teacher' for name in self.networks]
        bank, bank_labels = [], []
        for batch in self.bank_dataloader:
            features, samples = batch_features(model, batch, teachers)
            bank.append(features)
            bank_labels.append(self._labels(samples, self.bank_dataloader))
        queries, query_labels, query_samples = [], [], []
        for i, batch in enumerate(self.dataloader):
            call(f'before_{self.mode}_iter', batch_idx=i, data_batch=batch)
            features, samples = batch_features(model, batch, teachers)
            query_labels.append(self._labels(samples, self.dataloader))
            queries.append(features)
            query_samples += samples
            call(f'after_{self.mode}_iter', batch_idx=i, data_batch=batch, outputs=samples)
        if not queries:
            raise ValueError(f'{self.mode}_dataloader.dataset has no images to classify with kNN')
        labels = torch.cat([torch.zeros(0, dtype=torch.long), *bank_labels])
        metrics = {}
        for i, name in enumerate(self.networks):
            query_features = torch.cat([batch[i] for batch in queries])
            # A rank's part is empty if the bank has fewer images than there are ranks.
            part = torch.cat([query_features[:0], *(batch[i] for batch in bank)])
            own = labels.to(query_features.device)
            targets = torch.cat(query_labels)
            metrics.update(self._score(name, query_features, part, own, query_samples, targets))
        call(f'after_{self.mode}_epoch', metrics=metrics)
        call(f'after_{self.mode}')
        return metrics

    def _num_classes(self, labels: Tensor) -> int:
        if self.classes:
            return len(self.classes)
        highest = labels.max() if len(labels) else labels.new_tensor(-1)
        all_reduce(highest, 'max')
        # knn_scores rejects an empty bank.
        return max(int(highest), 0) + 1

    def _score(
        self,
        name: str,
        queries: Tensor,
        bank: Tensor,
        labels: Tensor,
        samples: list[BaseDataElement],
        query_labels: Tensor,
    ) -> dict:
        num_classes = self._num_classes(labels)
        scores = knn_scores(queries, bank, labels, num_classes, self.k, self.temperature)
        # A query with a label out of range could never be classified correctly.
        what = f'the labels of {self.mode}_dataloader.dataset'
        check_labels(query_labels, num_classes, what, together=True)
        metrics = {}
        for n in self.k:
            evaluator = self.evaluators[name, n]
            for sample, score in zip(samples, scores[n].cpu(), strict=True):
                sample.set_pred_score(score).set_pred_label(score.argmax())
            evaluator.process(data_samples=samples, data_batch=None)
            metrics.update(evaluator.evaluate(len(self.dataloader.dataset)))
        return metrics


@LOOPS.register_module()
class KNNValLoop(KNNLoop):
    """kNN as ``val_cfg`` (arguments: see the base class)."""

    mode = 'val'


@LOOPS.register_module()
class KNNTestLoop(KNNLoop):
    """kNN as ``test_cfg`` (arguments: see the base class)."""

    mode = 'test'
