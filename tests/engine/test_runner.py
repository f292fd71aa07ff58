"""The parts of the Runner: checks that no config drops, and the number of classes."""

from pathlib import Path

import pytest
import torch

from mmrel.engine.hooks import ClassNamesHook
from mmrel.engine.hooks.equal_buffers_hook import EqualBuffersHook
from mmrel.engine.hooks.stop_hook import StopHook
from mmrel.engine.mid_epoch import MidEpochHook, MidEpochTrainLoop
from mmrel.engine.runner import Runner
from mmrel.registry import MODELS
from tests.engine.toy_run import ToyModel, ToySet, toy_runner

DROPPED = dict.fromkeys(
    ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
)


@MODELS.register_module()
class _Counted(ToyModel):
    """A model whose config may leave the number of classes out."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.head = torch.nn.Linear(1, num_classes)


class _NamedSet(ToySet):
    metainfo = dict(classes=('a', 'b', 'c', 'd', 'e'))


def test_a_config_without_hooks_keeps_the_checks(tmp_path: Path) -> None:
    runner = toy_runner(tmp_path, default_hooks=DROPPED)
    kinds = [type(hook) for hook in runner.hooks]
    for kind in (ClassNamesHook, EqualBuffersHook, MidEpochHook, StopHook):
        assert kinds.count(kind) == 1
    names = [kind.__name__ for kind in kinds]
    assert names[0] == '_GuardHook'  # before any hook reads a checkpoint
    assert names[-1] == 'StopHook'  # after all that a step does
    assert {'DueValidationHook', 'OpenGradientsHook'} <= set(names)
    assert isinstance(runner.build_train_loop(runner._train_loop), MidEpochTrainLoop)


def test_the_classes_are_counted_with_the_loader_of_the_training(tmp_path: Path) -> None:
    runner = toy_runner(tmp_path, train_dataloader=dict(dataset=_NamedSet()))
    model = dict(type='_Counted')
    assert runner.build_model(model).num_classes == 5
    assert runner.cfg.model == dict(type='_Counted', num_classes=5)
    loader = runner._train_dataloader
    assert runner.build_train_loop(runner._train_loop).dataloader is loader
    assert runner.build_model(dict(type='_Counted', num_classes=2)).num_classes == 2


@pytest.mark.parametrize('pointer', [False, True])
def test_the_checkpoint_has_the_last_word_on_the_number_of_classes(
    tmp_path: Path, pointer: bool
) -> None:
    file = tmp_path / 'x.pth'
    torch.save(dict(state_dict=_Counted(3).state_dict(), meta=dict(epoch=1, iter=6)), file)
    runner: Runner = toy_runner(tmp_path, train_dataloader=dict(dataset=_NamedSet()))
    if pointer:
        (tmp_path / 'last_checkpoint').write_text(str(file))
        runner._resume = True
    else:
        runner._load_from = str(file)
    assert runner.build_model(dict(type='_Counted')).num_classes == 3
