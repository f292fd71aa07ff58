"""Running a function in several gloo processes, for tests."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def _entry(rank: int, size: int, port: int, folder: str, function: Callable, args: tuple) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(size),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=size)
    try:
        torch.save(function(rank, *args), Path(folder) / f'{rank}.pt')
    finally:
        torch.distributed.destroy_process_group()


def run_ranks(function: Callable, size: int, *args: Any) -> list[Any]:
    """Call ``function(rank, *args)`` on ``size`` ranks; what each returned, in order."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_entry, (size, _free_port(), folder, function, args), nprocs=size)
        return [torch.load(Path(folder) / f'{rank}.pt', weights_only=True) for rank in range(size)]
