"""Student and teacher are evaluated on the same images, and the log compares them."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmrel.engine.loops.student_teacher_loop import StudentTeacherTestLoop, StudentTeacherValLoop

pytestmark = pytest.mark.usefixtures('mmrel_scope')


class _Model(nn.Module):
    """The networks always predict a class of their own, in the samples that they are given."""

    def __init__(self, **classes: int) -> None:
        super().__init__()
        self.classes, self.read = classes, 0

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        assert not training
        self.read += len(batch['inputs'])
        return batch

    def predict(self, inputs: Tensor, samples: list, network: str) -> list:
        assert not self.training
        assert not torch.is_grad_enabled()
        scores = torch.eye(3)[self.classes[network]]
        return [sample.set_pred_score(scores) for sample in samples]


class _Labels(list):
    """Labels 0, 0, 0, 1, 2 in two batches."""

    metainfo = dict(classes=('a', 'b', 'c'))


def _collate(labels: list[int]) -> dict:
    return dict(inputs=torch.zeros(len(labels)), data_samples=[_sample(i) for i in labels])


def _sample(label: int) -> DataSample:
    return DataSample().set_gt_label(label)


def _runner(model: _Model) -> SimpleNamespace:
    runner = SimpleNamespace(model=model, calls=[], said=[])
    runner.call_hook = lambda name, **kwargs: runner.calls.append((name, kwargs))
    runner.logger = SimpleNamespace(info=runner.said.append)
    runner.build_evaluator = partial(Runner.build_evaluator, None)
    return runner


def _loader() -> DataLoader:
    return DataLoader(_Labels([0, 0, 0, 1, 2]), 3, collate_fn=_collate)


METRIC = dict(type='Accuracy', topk=(1,))


@pytest.mark.parametrize(
    ('student', 'teacher', 'values', 'verdict'),
    [
        (0, 1, (60.0, 20.0), 'top1: student 60.00, teacher 20.00: the student is better'),
        (1, 0, (20.0, 60.0), 'top1: student 20.00, teacher 60.00: the teacher is better'),
        (1, 2, (20.0, 20.0), 'top1: student 20.00, teacher 20.00: both are equal'),
    ],
)
def test_each_network_has_its_accuracy_and_the_log_compares(
    student: int, teacher: int, values: tuple[float, float], verdict: str
) -> None:
    runner = _runner(_Model(student=student, teacher=teacher).train())
    metrics = StudentTeacherValLoop(runner, _loader(), METRIC).run()
    names = ('student/top1', 'teacher/top1')
    assert metrics == {name: pytest.approx(v) for name, v in zip(names, values, strict=True)}
    assert runner.said == [verdict]
    assert runner.model.read == 5  # once for both


def test_hooks_are_called_as_by_mmengines_loop() -> None:
    runner = _runner(_Model(teacher=0))
    loop = StudentTeacherTestLoop(runner, _loader(), [METRIC], networks=['teacher'])
    metrics = loop.run()
    assert metrics == {'teacher/top1': pytest.approx(60.0)}
    steps = ['before_test_iter', 'after_test_iter'] * 2
    assert [name for name, _ in runner.calls] == [
        'before_test', 'before_test_epoch', *steps, 'after_test_epoch', 'after_test',
    ]  # fmt: skip
    assert [kwargs['batch_idx'] for _, kwargs in runner.calls[2:6]] == [0, 0, 1, 1]
    assert runner.calls[6][1] == dict(metrics=metrics)
    assert runner.said == []  # there is nothing to compare
    assert loop.evaluator.dataset_meta == _Labels.metainfo


def test_the_message_names_the_section_of_the_config() -> None:
    for kind, mode in ((StudentTeacherValLoop, 'val'), (StudentTeacherTestLoop, 'test')):
        with pytest.raises(
            ValueError, match=rf"^{mode}_cfg\.networks=\('mentor',\) must be a list"
        ):
            kind(_runner(_Model()), _loader(), METRIC, networks=['mentor'])
