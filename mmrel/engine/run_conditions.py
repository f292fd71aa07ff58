"""Runner mixin for run lengths, learning rates, and resuming with different settings."""

from typing import Any

from mmengine.optim import OptimWrapper
from torch import nn

from mmrel.utils.mixin import Mixin
from mmrel.utils.network_record import network_record

from .continuation import Fresh, check_resume, continue_run
from .global_batch import accumulative_counts, scale_rates
from .run_record import run_record
from .schedule import check_run


class RunConditions(Mixin):
    """Runner mixin: consistent lengths, rates scaled with the batch, exact resumes.

    It must precede :class:`.GuardedLoading`, which sets ``resuming``.

    Regardless of the config's hooks, checkpoints record their run (``meta['run']``), and a
    resume compares this record with the current run; see ``docs/resume.md``.
    """

    _resumed: dict
    _train_loop: Any
    optim_wrapper: Any
    param_schedulers: Any

    def train(self) -> nn.Module:
        """Check that the schedules fit the run's length, then train."""
        if self._train_loop is not None:
            self._train_loop = self.build_train_loop(self._train_loop)
            check_run(self)
        return super().train()

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None) -> None:
        """Scale the rates with the global batch, including gradient accumulation."""
        scale_rates(self, optim_wrapper, auto_scale_lr)

    def load_or_resume(self) -> None:
        """Load or resume, then publish the number of iterations per step to the model."""
        super().load_or_resume()
        if isinstance(self.optim_wrapper, OptimWrapper):
            counts = accumulative_counts(self.optim_wrapper)
            self.message_hub.update_info('accumulative_counts', counts)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """Load a checkpoint. On resume, compare it with this run."""
        checkpoint = super().load_checkpoint(*args, **kwargs)
        if self.resuming:
            meta = checkpoint['meta']
            if 'run' in meta:
                check_resume(self, meta)
            self._resumed = dict(meta=meta, schedulers='param_schedulers' in checkpoint)
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Resume from a checkpoint.

        Args:
            filename (str): The checkpoint.
            resume_optimizer (bool): Load the optimizer's state. Defaults to True.
            resume_param_scheduler (bool): Keep the position in the schedules. Defaults to True.
            map_location (Any): Same as in mmengine.

        Raises:
            ValueError: If this run cannot continue from it.
        """
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        fresh = Fresh(self)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        meta = self._resumed['meta']
        if 'run' not in meta:
            self.logger.warning(
                f'{filename} has no record of its run (it is from an older version): schedule and '
                'learning rate continue as before and ignore the config'
            )
        elif resume_param_scheduler:
            continue_run(self, meta, fresh, self._resumed['schedulers'])

    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, meta: dict | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint with records of its run and of its network."""
        meta = dict(meta or {}, run=run_record(self), network=network_record(self.cfg))
        super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
