"""Giving a piece of code the state of a new process, and taking back what it changes."""

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.utils.manager import ManagerMixin

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Set for the processes of a launcher, and by the commands themselves.
_OF_A_LAUNCHER = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')


def _managers(cls: type = ManagerMixin) -> Iterator[type]:
    """The classes whose instances mmengine keeps by name: loggers, hubs, scopes ..."""
    yield cls
    for child in cls.__subclasses__():
        yield from _managers(child)


@contextlib.contextmanager
def mmengine_instances() -> Iterator[None]:
    """mmengine's named instances are gone inside, and as before afterwards."""
    before = {cls: cls._instance_dict for cls in _managers()}
    for cls in before:
        cls._instance_dict = OrderedDict()
    try:
        yield
    finally:
        for cls in _managers():
            for instance in cls._instance_dict.values():
                for handler in getattr(instance, 'handlers', ()):
                    handler.close()
            cls._instance_dict = before.get(cls, OrderedDict())


@contextlib.contextmanager
def _python() -> Iterator[None]:
    environ, folder, path, argv = dict(os.environ), os.getcwd(), sys.path[:], sys.argv
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    root = logging.getLogger()
    level, outputs = root.level, root.handlers[:]
    start = multiprocessing.get_start_method(allow_none=True)
    for name in _OF_A_LAUNCHER:
        os.environ.pop(name, None)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        sys.path[:], sys.argv = path, argv
        root.setLevel(level)
        root.handlers[:] = outputs
        multiprocessing.set_start_method(start, force=True)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextlib.contextmanager
def _torch() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    dtype = torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    flags = cudnn.benchmark, cudnn.deterministic
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        # Setting it imports torch's compiler.
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        cudnn.benchmark, cudnn.deterministic = flags
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


@contextlib.contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """mmengine's named instances are gone inside; afterwards all is as it was.

    Kept and restored: mmengine's instances (loggers, message hubs, default
    scopes, visualizers), environment, folder, ``sys.path`` and ``sys.argv``,
    warning filters, signal handlers, the root logger, the start method of
    processes, torch's threads, modes and all random states. Imported modules
    stay imported, registered classes registered.
    """
    with _torch(), mmengine_instances(), _python():
        yield
