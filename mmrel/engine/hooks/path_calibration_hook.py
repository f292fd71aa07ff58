"""BN statistics for the path with which a supernet is validated."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import fixed_batches
from mmrel.registry import HOOKS


@HOOKS.register_module()
class PathCalibrationHook(Hook):
    """Recompute the BN statistics of the model's ``val_path`` before each evaluation.

    They are computed on ``calibration_batches`` (an attribute of the model) of
    training images without augmentation, sampled once. A supernet's running
    statistics mix those of all paths.

    Args:
        batch_size (int, optional): Batch size for calibration. Defaults to None:
            that of the evaluation loader.
        seed (int): Seed for sampling the images. Defaults to 0.
    """

    def __init__(self, batch_size: int | None = None, seed: int = 0) -> None:
        self.batch_size, self.seed = batch_size, seed
        self._batches: list | None = None

    @torch.no_grad()
    def _prepare(self, runner: Runner, like: dict) -> None:
        model = unwrap(runner.model)
        if not model.calibration_batches:
            return
        if self._batches is None:
            self._batches = fixed_batches(
                runner.cfg, like, model.calibration_batches, self.batch_size, self.seed
            )
        model.eval()
        inputs = [model.data_preprocessor(batch, False)['inputs'] for batch in self._batches]
        model.prepare_path(model.val_path, inputs)

    def before_val_epoch(self, runner: Runner) -> None:
        """Calibrate before a validation."""
        self._prepare(runner, runner.cfg.val_dataloader)

    def before_test_epoch(self, runner: Runner) -> None:
        """Calibrate before a test."""
        self._prepare(runner, runner.cfg.test_dataloader)
