import copy
import math

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from mmrel.models.utils import MomentumTeacher


def _student() -> dict[str, nn.Module]:
    return dict(backbone=nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), neck=nn.Linear(4, 2))


def test_moves_by_the_formula_parameters_only() -> None:
    student = _student()
    teacher = MomentumTeacher(student, momentum=0.9)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    for module in student.values():
        for parameter in module.parameters():
            nn.init.normal_(parameter)
    student['backbone'](torch.randn(8, 3))  # moves the student's running mean
    teacher.update(student)
    for key, value in teacher.state_dict().items():
        name, _, rest = key.partition('.')
        theirs = student[name].state_dict()[rest]
        is_parameter = key in dict(teacher.named_parameters())
        expected = 0.9 * before[key] + 0.1 * theirs if is_parameter else before[key]
        torch.testing.assert_close(value, expected)


def _move_student(student: dict[str, nn.Module]) -> None:
    for module in student.values():
        for parameter in module.parameters():
            nn.init.normal_(parameter)
    student['backbone'](torch.randn(8, 3))  # moves the running statistics


def test_with_averaged_buffers_all_move_and_counts_are_copied() -> None:
    student = _student()
    teacher = MomentumTeacher(student, momentum=0.9, average_buffers=True)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    _move_student(student)
    teacher.update(student)
    for key, value in teacher.state_dict().items():
        name, _, rest = key.partition('.')
        theirs = student[name].state_dict()[rest]
        count = key.endswith('num_batches_tracked')
        torch.testing.assert_close(value, theirs if count else 0.9 * before[key] + 0.1 * theirs)
    assert teacher.backbone[1].num_batches_tracked.item() == 1


def test_with_averaged_buffers_it_is_always_in_eval_mode() -> None:
    for average in (True, False):
        teacher = MomentumTeacher(_student(), average_buffers=average)
        model = nn.ModuleDict(dict(teacher=teacher)).train()
        assert model.training
        assert {m.training for m in teacher.modules()} == {not average}
        assert not any(m.training for m in model.eval().modules())


def test_an_update_that_is_due_uses_the_student_as_it_is_then() -> None:
    student = _student()
    teacher = MomentumTeacher(student, momentum=0.9)
    start = teacher.neck.weight.clone()
    teacher.update_later(student)
    torch.testing.assert_close(teacher.neck.weight, start, rtol=0, atol=0)
    nn.init.ones_(student['neck'].weight)  # the optimizer's step
    expected = 0.9 * start + 0.1
    moved = teacher.state_dict()['neck.weight'].clone()
    torch.testing.assert_close(moved, expected)
    teacher.catch_up()  # nothing is due anymore
    torch.testing.assert_close(teacher.neck.weight, moved, rtol=0, atol=0)


def test_a_copied_model_follows_its_own_student() -> None:
    student = nn.ModuleDict(_student())
    model = nn.ModuleDict(dict(student=student, teacher=MomentumTeacher(student, momentum=0.0)))
    model['teacher'].update_later(dict(student))
    other = copy.deepcopy(model)
    nn.init.ones_(student['neck'].weight)
    nn.init.zeros_(other['student']['neck'].weight)
    other['teacher'].catch_up()
    assert (other['teacher'].neck.weight == 0).all()


def test_loading_forgets_an_update_that_is_due() -> None:
    student = _student()
    teacher = MomentumTeacher(student, momentum=0.0)
    state = {k: v.clone() for k, v in teacher.state_dict().items()}
    teacher.update_later(student)
    nn.init.ones_(student['neck'].weight)
    teacher.load_state_dict(state)
    torch.testing.assert_close(dict(teacher.state_dict()), state, rtol=0, atol=0)


def test_is_a_copy_without_gradient() -> None:
    student = _student()
    teacher = MomentumTeacher(student)
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(p.requires_grad for p in student['neck'].parameters())
    nn.init.zeros_(student['neck'].weight)
    assert teacher.neck.weight.abs().sum() > 0.1
    teacher.copy_from(student)
    torch.testing.assert_close(teacher.neck.weight, student['neck'].weight)


def test_cosine_momentum_follows_the_run() -> None:
    teacher = MomentumTeacher(_student(), momentum=0.99, end_momentum=1.0)
    hub = MessageHub.get_current_instance()
    hub.update_info('max_iters', 100)
    for iteration in (0, 25, 50, 100):
        hub.update_info('iter', iteration)
        expected = 1 - 0.01 * (math.cos(math.pi * iteration / 100) + 1) / 2
        assert teacher.momentum() == pytest.approx(expected, abs=1e-12)
    hub.update_info('max_iters', 0)
    with pytest.raises(RuntimeError, match='end_momentum'):
        teacher.momentum()


@pytest.mark.parametrize('key', ['momentum', 'end_momentum'])
def test_config_errors(key: str) -> None:
    with pytest.raises(ValueError, match=rf'teacher\.{key}=1\.5'):
        MomentumTeacher(_student(), **{key: 1.5})
