"""Refuse to start a semi-supervised run whose data and model do not match."""

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrel.datasets.semi_supervised import SemiSupervisedDataset, SemiSupervisedSampler
from mmrel.engine.distributed import unwrap
from mmrel.registry import HOOKS


@HOOKS.register_module()
class LabeledSetHook(Hook):
    """Compare the labeled set with the bank, the batches and the loop.

    Without this check, a bank that is too small would stop the run in the middle
    of an epoch, and one that is too large would keep random slots.
    """

    def before_train(self, runner: Runner) -> None:
        """Check before the first step.

        Raises:
            TypeError: If the training set is not a :class:`SemiSupervisedDataset`,
                or the sampler is not a :class:`SemiSupervisedSampler`.
            ValueError: If sizes differ, or the sampler or the warm-up does not suit
                this kind of loop. The message says which key to set.
        """
        loader, model = runner.train_loop.dataloader, unwrap(runner.model)
        dataset = loader.dataset
        if not isinstance(dataset, SemiSupervisedDataset):
            raise TypeError(
                'LabeledSetHook needs train_dataloader.dataset.type=SemiSupervisedDataset, not '
                f'{type(dataset).__name__}'
            )
        if not isinstance(loader.sampler, SemiSupervisedSampler):
            raise TypeError(
                'LabeledSetHook needs train_dataloader.sampler.type=SemiSupervisedSampler, not '
                f'{type(loader.sampler).__name__}'
            )
        self._check_loop(runner)
        number = len(dataset.labeled)
        if model.memory is not None and model.memory.size != number:
            raise ValueError(
                f'model.memory.size={model.memory.size}, but the labeled set has {number} images: '
                f'set model.memory.size={number}'
            )
        if loader.batch_size != loader.sampler.batch_size:
            labeled, unlabeled = loader.sampler.parts
            raise ValueError(
                f'train_dataloader.batch_size={loader.batch_size}, but the sampler yields batches '
                f'of {labeled} labeled and {unlabeled} unlabeled images: set '
                f'train_dataloader.batch_size={loader.sampler.batch_size}'
            )

    @staticmethod
    def _check_loop(runner: Runner) -> None:
        by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
        loop = 'iteration' if by_iter else 'epoch'
        infinite = runner.train_loop.dataloader.sampler.infinite
        if infinite != by_iter:
            # Epochs would never end, or a resumed run would lose its position.
            raise ValueError(
                f'train_dataloader.sampler.infinite={infinite}, but the run is {loop}-based: set '
                f'train_dataloader.sampler.infinite={by_iter}'
            )
        head = unwrap(runner.model).instance_head
        if by_iter and head is not None and head.warmup.epochs:
            raise ValueError(
                f'model.instance_head.warmup.epochs={head.warmup.epochs}, but the run is '
                'iteration-based and counts as one epoch: set '
                'model.instance_head.warmup.iters, and warmup.epochs=None'
            )
