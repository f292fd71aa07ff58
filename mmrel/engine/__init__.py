from .distributed import AnyDeviceDataParallel, init_cpu_processes, leave_processes
from .hooks import *
from .loops import *
from .optimizers import *

__all__ = ['AnyDeviceDataParallel', 'init_cpu_processes', 'leave_processes']
