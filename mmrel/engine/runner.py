"""mmengine's Runner with mmrel's checks."""

import copy
from typing import Any

import mmengine.runner
from mmengine.logging import MMLogger
from torch import nn

from mmrel.datasets.class_names import count_classes
from mmrel.datasets.semi_supervised import SemiSupervisedDataset
from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers

from .compiled import CompiledBackbones
from .console import filter_console
from .due_validation import DueValidation
from .guarded_loading import GuardedLoading, read_pointer
from .hooks import ClassNamesHook
from .interruptible import Interruptible
from .open_gradients import OpenGradients
from .run_conditions import RunConditions
from .summary import SummaryHook


class Runner(
    Interruptible,
    CompiledBackbones,
    DueValidation,
    OpenGradients,
    RunConditions,
    GuardedLoading,
    mmengine.runner.Runner,
):
    """The Runner that :func:`mmrel.apis.build_runner` builds from a config.

    Configuration, hooks and environment are written only to the log file.

    Args: same as mmengine's.
    """

    _train_dataloader: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        log = getattr(self.logger, 'log_file', None)
        if log is not None:
            self.logger.info(f'all settings and details: {log}')

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """mmengine's logger, with console output limited to what runs, progress and results."""
        logger = super().build_logger(*args, **kwargs)
        filter_console(logger)
        return logger

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model. Numbers that are left out come from checkpoint or data."""
        if isinstance(model, dict):
            checkpoint = self._load_from
            if checkpoint is None and self._resume:
                checkpoint = read_pointer(self.work_dir)
            numbers = complete_numbers(model, checkpoint, self._training_numbers)
            if numbers:
                found = ', '.join(f'{key}={number}' for key, number in numbers.items())
                self.logger.info(f'from the checkpoint or the data: {found}')
                # The config in the work dir can then be tested without the training set.
                self.cfg.model = copy.deepcopy(model)
        return super().build_model(model)

    def _training_numbers(self) -> DataNumbers | None:
        """Numbers of the training set. Its loader is built now and used later."""
        loader = self._train_dataloader
        if isinstance(loader, dict):
            loader = self._train_dataloader = self.build_dataloader(
                loader,
                seed=self.seed,
                diff_rank_seed=self._randomness_cfg.get('diff_rank_seed', False),
            )
        if loader is None:
            return None
        dataset = loader.dataset
        semi = isinstance(dataset, SemiSupervisedDataset)
        return DataNumbers(count_classes(dataset), len(dataset.labeled) if semi else None)

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks, and the checks that a config cannot drop."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(ClassNamesHook())
        self.register_hook(SummaryHook())
