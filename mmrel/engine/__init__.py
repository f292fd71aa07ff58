from .distributed import AnyDeviceDataParallel, init_cpu_processes, leave_processes
from .hooks import *
from .loops import *
from .optimizers import *
from .plain_loader import inner_dataset
from .schedulers import *

__all__ = ['AnyDeviceDataParallel', 'init_cpu_processes', 'inner_dataset', 'leave_processes']
