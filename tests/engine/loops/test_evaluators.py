"""One evaluator a prediction, each with its name before the metrics."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from mmrel.engine.loops.evaluators import check_networks, evaluators_by_name

pytestmark = pytest.mark.usefixtures('mmrel_scope')

RUNNER = SimpleNamespace(build_evaluator=partial(Runner.build_evaluator, None))


@pytest.mark.parametrize('several', [False, True])
def test_metrics_of_one_prediction_are_not_anothers(several: bool) -> None:
    metric = dict(type='Accuracy', topk=(1,), prefix='mine')
    config = [metric, dict(type='Accuracy', topk=(2,))] if several else metric
    meta = dict(classes=('a', 'b', 'c'))
    student, teacher = evaluators_by_name(RUNNER, config, ['student', 'teacher'], meta)
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    for evaluator, labels in ((student, (0, 1)), (teacher, (1, 2))):
        samples = [
            dict(pred_score=row, gt_label=torch.tensor([label]))
            for row, label in zip(scores, labels, strict=True)
        ]
        for part in evaluator.metrics:
            part.process(None, samples)
        assert all(part.dataset_meta == meta for part in evaluator.metrics)
    second = dict(top2=100.0) if several else {}
    assert student.evaluate(2) == {f'student/{k}': v for k, v in (dict(top1=50.0) | second).items()}
    second = dict(top2=50.0) if several else {}
    assert teacher.evaluate(2) == {f'teacher/{k}': v for k, v in (dict(top1=0.0) | second).items()}
    assert metric == dict(type='Accuracy', topk=(1,), prefix='mine')


def test_a_built_evaluator_is_refused() -> None:
    with pytest.raises(TypeError, match=r'is a built Evaluator, .*: give the configs of its'):
        evaluators_by_name(RUNNER, Evaluator([]), ['student'], {})


@pytest.mark.parametrize('networks', ['teacher', (), ('student', 'mentor')])
def test_networks_that_do_not_exist_are_refused(networks: object) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check_networks(networks, 'test')
    assert str(caught.value) == (
        f"test_cfg.networks={networks!r} must be a list of 'student', 'teacher' or both"
    )
    assert check_networks(['teacher'], 'val') == ('teacher',)
