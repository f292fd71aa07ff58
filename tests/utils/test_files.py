import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from mmrel.utils.files import save_atomically, write_atomically, write_together


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'file'
    write_atomically(b'one', str(path))
    write_atomically(b'two', str(path))
    assert path.read_bytes() == b'two'
    assert [p.name for p in path.parent.iterdir()] == ['file']


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    write_atomically(b'good', str(path))
    (tmp_path / 'file.partial').mkdir()  # in the way of the new one, also for root
    with pytest.raises(OSError, match=r'file\.partial'):
        write_atomically(b'bad', str(path))
    assert path.read_bytes() == b'good'


def _write_often(path: str, content: bytes) -> None:
    for _ in range(200):
        write_atomically(content, path, shared=True)


def test_processes_may_write_the_same_file(tmp_path: Path) -> None:
    path, contents = tmp_path / 'file', [b'a' * 10000, b'b' * 10000]
    context = multiprocessing.get_context('fork')
    processes = [
        context.Process(target=_write_often, args=(str(path), content)) for content in contents
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_save_atomically_is_torch_save(tmp_path: Path) -> None:
    save_atomically(dict(x=torch.arange(3)), str(tmp_path / 'a.pth'))
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    torch.testing.assert_close(loaded['x'], torch.arange(3))


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in 'ab']

    def write(first: bytes, second: Callable[[BinaryIO], Any]) -> None:
        write_together({str(paths[0]): lambda f: f.write(first), str(paths[1]): second})

    write(b'a1', lambda f: f.write(b'b1'))
    assert [p.read_bytes() for p in paths] == [b'a1', b'b1']

    def stop(file: BinaryIO) -> None:
        file.write(b'half')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(b'a2', stop)
    assert [p.read_bytes() for p in paths] == [b'a1', b'b1']
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a', 'b']
