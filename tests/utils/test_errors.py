"""An error as one or two lines that say what to do."""

import errno

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmrel.utils.errors import error_message, is_unexpected


class _Broken(Dataset):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> object:
        raise self.error


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (FileNotFoundError(2, 'No such file or directory', 'a.png'),
         "[Errno 2] No such file or directory: 'a.png'"),
        (KeyError('no class called x'), 'no class called x'),
        (ValueError('a.png is broken\nat the end'), 'a.png is broken\nat the end'),
    ],
)  # fmt: skip
def test_an_error_in_a_worker_is_the_original_one(error: Exception, message: str) -> None:
    with pytest.raises(type(error)) as caught:
        next(iter(DataLoader(_Broken(error), num_workers=1)))
    assert 'Traceback' in str(caught.value)
    assert error_message(caught.value) == message


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (FileNotFoundError(errno.ENOENT, 'No such file', 'a.png'), "No such file: 'a.png'"),
        (OSError(errno.EXDEV, 'Cross-device link', 'a', None, 'b'), "Cross-device link: 'a': 'b'"),
        (
            OSError(errno.ENOSPC, 'No space left', 'a.pth'),
            "No space left: 'a.pth': free disk space and restart with --resume",
        ),
        (torch.OutOfMemoryError('no memory\nstatistics'),
         'no memory; lower train_dataloader.batch_size'),
        (MemoryError('8 GB'), 'out of memory: 8 GB; lower the batch size or num_workers'),
        (MemoryError(), 'out of memory; lower the batch size or num_workers'),
        (KeyError('there is no key x'), 'there is no key x'),
        (ValueError('class `A` in mmrel/a.py: class `B` in mmrel/b.py: x=1'), 'x=1'),
        (ValueError('one\n\n  two\nthree'), 'one\ntwo ...'),
        (ValueError('x' * 601), 'x' * 600 + ' ...'),
    ],
)  # fmt: skip
def test_an_error_of_the_user_is_its_message_and_the_remedy(error: Exception, message: str) -> None:
    assert error_message(error) == message


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (KeyError('x'), 'KeyError: x'),
        (AttributeError('no attribute'), 'AttributeError: no attribute'),
        (RuntimeError(), 'RuntimeError'),
        (RecursionError('too deep'), 'RecursionError: too deep'),
    ],
)
def test_a_fault_of_the_program_has_its_class_and_place(error: Exception, message: str) -> None:
    text = error_message(_raised(error))
    assert text.startswith(f'{message} (test_errors.py:')
    assert is_unexpected(error)


def test_what_is_not_implemented_is_no_fault() -> None:
    assert not is_unexpected(NotImplementedError('not for this type'))
    assert not is_unexpected(KeyError('no class called x'))
