"""Data and model of a semi-supervised run fit each other, or it does not start."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.datasets.semi_supervised import SemiSupervisedDataset
from mmrel.engine.distributed import unwrap
from mmrel.registry import HOOKS


@HOOKS.register_module()
class LabeledSetHook(Hook):
    """Compare the labeled set with the bank, the classifier and the batches.

    Otherwise a bank that is too small would stop a run in the middle of an
    epoch, and one that is too large would keep random slots.
    """

    def before_train(self, runner: Runner) -> None:
        """Check before the first step.

        Raises:
            TypeError: If the training set is no :class:`SemiSupervisedDataset`.
            ValueError: If a number differs; the message says which key to set.
        """
        loader, model = runner.train_loop.dataloader, unwrap(runner.model)
        dataset = loader.dataset
        if not isinstance(dataset, SemiSupervisedDataset):
            raise TypeError(
                'LabeledSetHook needs train_dataloader.dataset.type=SemiSupervisedDataset, not '
                f'{type(dataset).__name__}'
            )
        number = len(dataset.labeled)
        if model.memory is not None and model.memory.size != number:
            raise ValueError(
                f'model.memory.size={model.memory.size}, but the labeled set has {number} images: '
                f'set model.memory.size={number}'
            )
        classes = dataset.metainfo.get('classes')
        if classes and model.num_classes != len(classes):
            raise ValueError(
                f'model.num_classes={model.num_classes}, but the labeled set has {len(classes)} '
                f'classes: set model.num_classes={len(classes)}'
            )
        if loader.batch_size != loader.sampler.batch_size:
            labeled, unlabeled = loader.sampler.parts
            raise ValueError(
                f'train_dataloader.batch_size={loader.batch_size}, but the sampler gives batches '
                f'of {labeled} labeled and {unlabeled} unlabeled images: set '
                f'train_dataloader.batch_size={loader.sampler.batch_size}'
            )
