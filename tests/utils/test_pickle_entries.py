"""Sizes of storages, and the errors of reading a pickle."""

import pytest
import torch

from mmrel.utils.pickle_entries import DamagedContent, StorageEntry, UnsafeContent


@pytest.mark.parametrize(
    ('dtype', 'nbytes'),
    [(torch.uint8, 7), (torch.bool, 7), (torch.bfloat16, 14), (torch.complex128, 112)],
)
def test_the_size_is_in_bytes(dtype: torch.dtype, nbytes: int) -> None:
    assert StorageEntry('0', dtype, 'cuda:0', 7).nbytes == nbytes


def test_a_refusal_is_never_taken_for_damage_or_for_an_error_of_reading() -> None:
    # The reader turns the errors on the right into DamagedContent.
    others = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, OSError)
    for error, other in ((UnsafeContent, DamagedContent), (DamagedContent, UnsafeContent)):
        assert not issubclass(error, (*others, other))
