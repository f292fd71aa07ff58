"""Processes that wait for functions to run together, for :mod:`tests.distributed`."""

import contextlib
import io
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as mp
from mmengine.registry import DefaultScope

# Far above what a test takes, on a busy machine too.
TIMEOUT = 300.0
_SEED = torch.default_generator.initial_seed()  # of every new process


class RankError(RuntimeError):
    """A rank raised, died or did not answer."""


@contextlib.contextmanager
def _as_before(rank: int) -> Iterator[None]:
    """A function starts as in a new process, and leaves nothing to the next one."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    environ, folder = dict(os.environ), Path.cwd()
    deterministic = torch.are_deterministic_algorithms_enabled()
    scopes = DefaultScope._instance_dict.copy()
    torch.manual_seed(_SEED)
    # Not the same on all ranks: a draw that must be shared has to be sent.
    random.seed(rank)
    np.random.seed(rank)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        # Setting it imports torch's compiler.
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(scopes)


def _serve(rank: int, size: int, folder: str, connection: Connection) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    torch.set_num_threads(1)
    # A file, not a port: nothing that another run could take meanwhile.
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=size
    )
    with contextlib.suppress(EOFError):  # the test run is over, or was killed
        while True:
            path, function, args = connection.recv()
            sys.path[:] = path
            try:
                with _as_before(rank):
                    result = function(rank, *args)
                file = io.BytesIO()
                torch.save(result, file)
                connection.send((True, file.getvalue()))
            except BaseException:
                connection.send((False, traceback.format_exc()))
    torch.distributed.destroy_process_group()


class Ranks:
    """``size`` gloo processes in one group, started at once.

    Args:
        size (int): Number of processes.
    """

    def __init__(self, size: int) -> None:
        self._folder = TemporaryDirectory(prefix='mmrel-ranks-')
        self._connections, self._processes = [], []
        # Imports once for all ranks: they are forked from a process without threads.
        context = mp.get_context('forkserver')
        context.set_forkserver_preload(['mmrel.engine', 'mmrel.models', __name__])
        for rank in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(rank, size, self._folder.name, theirs))
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def run(self, function: Callable, *args: Any, timeout: float = TIMEOUT) -> list[Any]:
        """Call ``function(rank, *args)`` on all; what each returned, in order.

        Raises:
            RankError: If one raised or died, or was not done in ``timeout``
                seconds. The processes are of no use then: :meth:`close` them.
        """
        results: dict[int, Any] = {}
        try:
            for connection in self._connections:
                connection.send((sys.path, function, args))
            while len(results) < len(self._connections):
                waiting = {c: r for r, c in enumerate(self._connections) if r not in results}
                ready = wait(list(waiting), timeout)
                if not ready:
                    raise RankError(f'ranks {sorted(waiting.values())} hang in {function}')
                for connection in ready:
                    rank = waiting[connection]
                    done, content = connection.recv()
                    if not done:
                        raise RankError(f'rank {rank} raised\n{content}')
                    results[rank] = torch.load(io.BytesIO(content), weights_only=True)
        except (EOFError, ConnectionError) as error:
            for process in self._processes:
                process.join(1)
            codes = [process.exitcode for process in self._processes]
            raise RankError(f'a rank died in {function}, exit codes {codes}') from error
        return [results[rank] for rank in sorted(results)]

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for process, connection in zip(self._processes, self._connections, strict=True):
            connection.close()
            process.kill()
        for process in self._processes:
            process.join()
        self._folder.cleanup()
