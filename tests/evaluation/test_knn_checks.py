"""Inputs of kNN that would give a wrong score are refused, by all ranks alike."""

import math

import pytest
import torch

from mmrel.evaluation import knn_scores, neighbor_table
from mmrel.evaluation.knn_checks import check_integers, check_labels, check_rows
from tests.distributed import run_ranks

_NAN = torch.tensor([[float('nan')] * 8])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(k=(0,)), 'k='),
        (dict(k=()), 'k='),
        (dict(k=(2.5,)), r'k=\(2\.5,\).*integers'),
        (dict(temperature=0), 'temperature=0'),
        (dict(temperature=math.nan), 'temperature=nan'),
        (dict(num_classes=0), 'num_classes=0'),
        (dict(num_classes=4), r'\d+ of the 70 bank_labels are not in 0 to 3'),
        (dict(bank_labels=torch.full((70,), -1)), '70 of the 70 bank_labels are not in 0 to 4'),
        (dict(bank_labels=torch.zeros(69).long()), r'bank_labels of shape \(69,\) .* the 70 feat'),
        (dict(bank_labels=torch.zeros(70, 1).long()), r'bank_labels of shape \(70, 1\)'),
        (dict(bank_labels=torch.zeros(70)), r'bank_labels are torch\.float32 but must be integers'),
        (dict(bank_labels=torch.zeros(70).bool()), r'bank_labels are torch\.bool'),
        (dict(queries=torch.randn(24, 7)), r'queries, \(24, 7\), and of the bank, \(70, 8\)'),
        (dict(queries=torch.randn(8)), r'queries, \(8,\)'),
        (dict(queries=_NAN), 'of 0 of 70 bank images and of 1 of 1 queries are not finite'),
        (dict(bank=_NAN.repeat(70, 1)), 'of 70 of 70 bank images and of 0 of 24 queries are not'),
        (dict(bank=torch.full((70, 8), 3e38)), '70 of 70 bank images'),  # longer than float32
    ],
)
def test_what_would_give_a_wrong_score_is_refused(change: dict, message: str) -> None:
    queries, bank, labels = torch.randn(24, 8), torch.randn(70, 8), torch.randint(0, 5, (70,))
    arguments = dict(queries=queries, bank=bank, bank_labels=labels, num_classes=5)
    with pytest.raises(ValueError, match=message) as error:
        knn_scores(**dict(arguments, **change))
    assert '\n' not in str(error.value)


def _wrong_on_rank(rank: int) -> list[str]:
    """The second rank's input is wrong; both must say so, and neither wait."""
    said: list[str] = []
    for which in ('label', 'queries', 'empty'):
        wrong = which if rank == 1 else ''
        queries = torch.ones(3 if wrong == 'queries' else 2, 4)
        bank, labels = torch.ones(5, 4), torch.zeros(5).long()
        if wrong == 'label':
            labels[2] = 9
        elif wrong == 'empty':
            bank, labels = bank[:0], labels[:0]
        try:
            said.append(str(knn_scores(queries, bank, labels, 3, (20,))[20].tolist()))
        except ValueError as error:
            said.append(str(error))
    return said


def test_all_ranks_refuse_what_one_has() -> None:
    for label, queries, empty in run_ranks(_wrong_on_rank, 2):
        assert label.startswith('1 of the 10 bank_labels are not in 0 to 2')
        assert queries.startswith('the ranks have [2, 3] queries, but need the same number')
        assert empty == '[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]'  # a rank may have no part of the bank


def test_empty_bank() -> None:
    with pytest.raises(ValueError, match='bank is empty'):
        knn_scores(torch.randn(2, 4), torch.randn(0, 4), torch.zeros(0).long(), 2)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(rows=torch.tensor([0, 1, 2, 3, 9])), '1 rows are not in 0 to 4'),
        (dict(rows=torch.tensor([0, 1, 2, 3, 3])), '2 images are missing or repeated'),
        (dict(rows=torch.arange(4)), r'features \(5, 2\) and rows \(4,\)'),
        (dict(rows=torch.arange(5.0)), r'rows are torch\.float32'),
        (dict(features=torch.full((5, 2), torch.inf)), '5 of 5 images are not finite'),
    ],
)
def test_a_table_of_other_images_is_refused(change: dict, message: str) -> None:
    arguments = dict(features=torch.randn(5, 2), rows=torch.arange(5), total=5, k=2)
    with pytest.raises(ValueError, match=message):
        neighbor_table(**dict(arguments, **change))


def test_integers_of_any_width_become_indices_and_nothing_else_does() -> None:
    labels = check_integers(torch.tensor([200, 3], dtype=torch.uint8), 'labels')
    assert labels.dtype == torch.int64
    assert labels.tolist() == [200, 3]
    for dtype in (torch.float64, torch.bool, torch.complex64):
        with pytest.raises(ValueError, match=rf'^rows are {dtype} but must be integers, such as'):
            check_integers(torch.zeros(2, dtype=dtype), 'rows')


def _refusals(rank: int) -> list[str]:
    """Rows and labels that are right alone, but wrong together or on one rank only."""
    said: list[str] = []
    rows = torch.tensor([[0, 1, 2], [2, 3, 3]][rank])
    features = torch.ones(3, 4)
    broken = features * (1 if rank == 0 else math.inf)
    labels = torch.tensor([0, 3 if rank == 1 else 2, -1 if rank == 1 else 1])
    for check in (
        lambda: check_rows(features, rows, 5),
        lambda: check_rows(broken, torch.arange(3) + 3 * rank, 6),
        lambda: check_rows(features, torch.arange(3) + 3 * rank, 6),
        lambda: check_labels(labels, 3, 'the labels', together=True),
    ):
        try:
            check()
            said.append('')
        except ValueError as error:
            said.append(str(error))
    return said


def test_ranks_add_up_what_they_find() -> None:
    first, second = run_ranks(_refusals, 2)
    assert first == second
    rows, broken, right, labels = first
    assert rows.startswith('rows must contain each of 5 images exactly once over all ranks: 0 rows')
    assert rows.endswith('3 images are missing or repeated')  # 2, 3 and 4
    assert broken.startswith('features of 3 of 6 images are not finite')
    assert right == ''
    assert labels.startswith('2 of the labels are not in 0 to 2: num_classes must cover')
