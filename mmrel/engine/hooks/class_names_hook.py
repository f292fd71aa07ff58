"""Refuse to start if data, checkpoint and classifier do not agree on the classes."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmrel.datasets.class_names import class_names, count_classes, match_classes, shorten
from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import read_with
from mmrel.models.utils.num_classes import checkpoint_classes, model_count
from mmrel.registry import DATASETS, HOOKS
from mmrel.utils.safe_loading import load_checkpoint

_CHECKPOINT, _TRAINING = 'the checkpoint', 'the training set'


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Compare classes by name, renumber them if the order differs, refuse unknown ones.

    It applies to models with a classifier. The reference is the loaded
    classifier's classes (the checkpoint's ``dataset_meta``), or the training
    set's if there are none. mmrel's Runner registers this hook. The kNN loop does
    not use the classifier, and compares bank and queries itself.
    """

    priority = 'HIGHEST'

    def __init__(self) -> None:
        self.loaded: tuple[str, ...] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the classifier's classes; training continues in that order.

        Raises:
            ValueError: If the training set has classes that the checkpoint
                lacks or, on resume, lacks some of the checkpoint's.
        """
        if model_count(unwrap(runner.model)) is None:
            return
        self.loaded = checkpoint_classes(checkpoint)
        self._turn_training_set(runner)

    def _turn_training_set(self, runner: Runner) -> None:
        """Number the training set's classes like the loaded classifier's outputs."""
        loop = runner._train_loop
        if self.loaded is None or not isinstance(loop, BaseLoop):
            return
        subset = not runner._resume
        dataset = loop.dataloader.dataset
        changed = match_classes(dataset, self.loaded, _TRAINING, _CHECKPOINT, subset)
        if changed and hasattr(loop, 'dataloader_iterator'):
            # The workers already hold the old list.
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)

    def before_train(self, runner: Runner) -> None:
        """Compare the classifier, the training and the validation set before the first step.

        Raises:
            ValueError: If the classes or their number differ.
        """
        stated = model_count(unwrap(runner.model))
        if stated is None:
            return
        key, number = stated
        self._look_at_initial_weights(runner)
        self._turn_training_set(runner)
        dataset = runner.train_loop.dataloader.dataset
        there, names = count_classes(dataset), class_names(dataset)
        preprocessor = getattr(unwrap(runner.model), 'data_preprocessor', None)
        given = getattr(preprocessor, 'num_classes', None)
        if there is not None and there != number:
            which = f' ({shorten(names)})' if names else ''
            raise ValueError(
                f'{key}={number}, but {_TRAINING} has {there} classes{which}: set {key}={there}, '
                'or leave it out (None) to take it from the data'
            )
        if given not in (None, number):
            raise ValueError(
                f'data_preprocessor.num_classes={given}, but {key}={number}: leave the first '
                'out, and it follows the second'
            )
        if runner.val_loop is not None:
            self._match(runner.val_loop, 'val_dataloader.dataset', names, _TRAINING, number)

    def _look_at_initial_weights(self, runner: Runner) -> None:
        """If nothing was loaded, read the classes of the checkpoint in the model's ``init_cfg``."""
        if runner._has_loaded:
            return
        config: Any = runner.cfg.get('model')
        init = config.get('init_cfg') if isinstance(config, dict) else None
        if self.loaded is None and isinstance(init, dict) and init.get('checkpoint'):
            content = load_checkpoint(init['checkpoint'])
            self.loaded = checkpoint_classes(content)

    def before_val(self, runner: Runner) -> None:
        """Same as :meth:`before_test`, if nothing is trained."""
        if not isinstance(runner._train_loop, BaseLoop):
            self._before_evaluation(runner, runner.val_loop, 'val_dataloader.dataset')

    def before_test(self, runner: Runner) -> None:
        """Number the test set's classes like the network's outputs.

        Raises:
            ValueError: If it has classes that the network does not know.
        """
        self._before_evaluation(runner, runner.test_loop, 'test_dataloader.dataset')

    def _before_evaluation(self, runner: Runner, loop: BaseLoop, what: str) -> None:
        stated = model_count(unwrap(runner.model))
        if stated is None or hasattr(loop, 'bank_dataloader'):
            return
        self._look_at_initial_weights(runner)
        names, whose = self.loaded, _CHECKPOINT
        if names is None:
            names, whose = _training_classes(runner), _TRAINING
        self._match(loop, what, names, whose, stated[1])

    def _match(
        self, loop: BaseLoop, what: str, names: tuple[str, ...] | None, whose: str, number: int
    ) -> None:
        """Match a loop's classes by name and update its evaluators, or compare numbers."""
        dataset = loop.dataloader.dataset
        if hasattr(loop, 'bank_dataloader'):
            return
        own = class_names(dataset)
        if names is not None and own is not None:
            if len(names) > number:
                raise ValueError(
                    f'{whose} names {len(names)} classes, but the network has {number} outputs: '
                    'use a checkpoint trained with this config'
                )
            if match_classes(dataset, names, what, whose):
                for evaluator in _evaluators(loop):
                    evaluator.dataset_meta = dataset.metainfo
            return
        there = count_classes(dataset)
        # Plain labels keep their meaning. Folders are renumbered if one is missing.
        if there is not None and (there > number or (own is not None and there != number)):
            which = f' ({shorten(own)})' if own else ''
            raise ValueError(
                f'{what} has {there} classes{which}, but the network has {number} outputs without '
                'class names: use images of the same classes'
            )


def _evaluators(loop: BaseLoop) -> list:
    several = getattr(loop, 'evaluators', None)
    one = getattr(loop, 'evaluator', None)
    return list(several.values()) if several else [one] if one is not None else []


def _training_classes(runner: Runner) -> tuple[str, ...] | None:
    """The class names of the config's training set, or None if it is not available."""
    loop = runner._train_loop
    if isinstance(loop, BaseLoop):
        return class_names(loop.dataloader.dataset)
    config: Any = (runner.cfg.get('train_dataloader') or {}).get('dataset')
    if config is None:
        return None
    try:
        dataset = DATASETS.build(dict(read_with(config, pipeline=[]), lazy_init=True))
        if class_names(dataset) is None:
            dataset.full_init()
    except (OSError, TypeError, ValueError):
        return None
    return class_names(dataset)
