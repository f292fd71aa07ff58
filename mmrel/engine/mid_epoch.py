"""Resume inside an epoch.

mmengine restarts the epoch when a run is resumed, which repeats batches that the
checkpoint has already seen.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import mmengine.runner
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmrel.registry import LOOPS

_BATCHES, _LENGTH, _SAMPLES = 'batches_in_epoch', 'batches_per_epoch', 'samples_in_epoch'


def remaining_batches(loader: DataLoader, done: int) -> Iterator[Any]:
    """The remaining batches of an epoch.

    Args:
        loader (DataLoader): The training loader. With mmrel's samplers the skipped
            batches are not read; with other samplers they are read and dropped.
        done (int): Number of batches to skip.

    Returns:
        Iterator: The remaining batches.
    """
    sampler = loader.sampler
    start_at = getattr(sampler, 'start_at', None) or getattr(sampler, 'skip', None)
    if done and start_at is not None and loader.batch_size is not None:
        start_at(done * loader.batch_size)
        done = 0
    return islice(loader, done, None)


@LOOPS.register_module(name='EpochBasedTrainLoop', force=True)
class MidEpochTrainLoop(mmengine.runner.EpochBasedTrainLoop):
    """mmengine's ``EpochBasedTrainLoop`` that can start inside an epoch.

    A run that was stopped after an epoch's last batch resumes with the
    end-of-epoch hooks and the validation.

    Args: same as mmengine's.

    Attributes:
        batches_done (int): Batches of the current epoch whose step is done.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batches_done = 0

    def run_epoch(self) -> None:
        """Run the rest of the epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self.batches_done
        for idx, batch in enumerate(remaining_batches(self.dataloader, done), done):
            # Hooks that save after this step count it as done.
            self.batches_done = idx + 1
            self.run_iter(idx, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.batches_done = 0


class MidEpochHook(Hook):
    """Store the position inside an epoch in the checkpoint.

    :class:`mmrel.engine.Runner` registers it; configs do not list it.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store how many batches of the unfinished epoch are done."""
        loop, meta = runner.train_loop, checkpoint['meta']
        if not isinstance(loop, MidEpochTrainLoop):
            return
        # A checkpoint at an epoch's end already counts the epoch as done.
        done = loop.batches_done if meta['epoch'] == loop.epoch else 0
        size = loop.dataloader.batch_size or 0
        meta[_BATCHES], meta[_LENGTH] = done, len(loop.dataloader)
        meta[_SAMPLES] = done * size * get_world_size()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Set the loop to the checkpoint's position."""
        if not runner._resume or not isinstance(runner.train_loop, MidEpochTrainLoop):
            return
        loop = runner.train_loop
        loop.batches_done = _batches_done(checkpoint.get('meta') or {}, loop.dataloader)
        if loop.batches_done:
            runner.logger.info(
                f'resuming inside epoch {checkpoint["meta"]["epoch"] + 1}, after '
                f'{loop.batches_done} of {len(loop.dataloader)} batches'
            )


def _batches_done(meta: dict, loader: DataLoader) -> int:
    """Finished batches of the current epoch, in batches of this run, rounded down."""
    if _BATCHES not in meta:
        # Written by a version that did not store positions. 0 for checkpoints at an epoch's end.
        done = meta.get('iter', 0) - meta.get('epoch', 0) * len(loader)
        return done if 0 < done <= len(loader) else 0
    done, length = int(meta[_BATCHES]), int(meta[_LENGTH])
    if length == len(loader) or not done:
        return min(done, len(loader))
    if done == length:
        return len(loader)
    samples = (loader.batch_size or 0) * get_world_size()
    return min(int(meta[_SAMPLES]) // samples, len(loader)) if samples else 0
