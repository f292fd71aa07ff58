from .distributed import (
    AnyDeviceDataParallel,
    ReplicaParallel,
    init_cpu_processes,
    leave_processes,
)
from .hooks import *
from .loops import *
from .optimizers import *
from .plain_loader import fixed_batches, inner_dataset
from .schedulers import *

__all__ = [
    'AnyDeviceDataParallel',
    'ReplicaParallel',
    'fixed_batches',
    'init_cpu_processes',
    'inner_dataset',
    'leave_processes',
]
