"""Several processes, on accelerators or on the CPU."""

import os
from datetime import timedelta
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, is_distributed
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from torch import nn

from mmrel.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class AnyDeviceDataParallel(MMDistributedDataParallel):
    """mmengine's ``MMDistributedDataParallel`` that also wraps CPU models.

    Args:
        module (nn.Module): The model.
        device_ids (list, optional): The Runner gives the local rank; on the
            CPU it is left out.
        broadcast_buffers (bool): Defaults to False, as the Runner's default:
            BN statistics are each rank's own.
        **kwargs: As ``torch.nn.parallel.DistributedDataParallel``.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: list | None = None,
        broadcast_buffers: bool = False,
        **kwargs: Any,
    ) -> None:
        if next(module.parameters()).device.type == 'cpu':
            device_ids = None
        super().__init__(
            module=module, device_ids=device_ids, broadcast_buffers=broadcast_buffers, **kwargs
        )


@MODEL_WRAPPERS.register_module()
class ReplicaParallel(nn.Module):
    """A model on each rank whose own ``train_step`` averages the gradients.

    For models that know which of their parameters a step concerns:
    ``DistributedDataParallel`` would send those that it does not, too. The
    Runner makes the replicas equal at the start.

    Args:
        module (nn.Module): The model.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's."""
        return self.module(*args, **kwargs)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's."""
        return self.module.train_step(*args, **kwargs)

    def val_step(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's."""
        return self.module.val_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's."""
        return self.module.test_step(*args, **kwargs)


def unwrap(model: nn.Module) -> nn.Module:
    """The model itself, where the Runner has wrapped it for several processes."""
    return model.module if is_model_wrapper(model) else model


def init_cpu_processes(launcher: str, timeout: float | None = None) -> None:
    """Join the process group by gloo where there is no accelerator.

    mmengine's own start-up sets a CUDA device first. With an accelerator, or
    with a single process, this does nothing.

    Args:
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        timeout (float, optional): Seconds that a collective waits for the other
            ranks, ``env_cfg.dist_cfg.timeout``. Defaults to None: torch's.

    Raises:
        ValueError: If ``timeout`` is not a positive number.
    """
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise ValueError(
            f'env_cfg.dist_cfg.timeout={timeout!r} is not a positive number of seconds'
        )
    if launcher == 'none' or get_device() != 'cpu' or is_distributed():
        return
    if launcher == 'slurm':
        os.environ.setdefault('RANK', os.environ['SLURM_PROCID'])
        os.environ.setdefault('WORLD_SIZE', os.environ['SLURM_NTASKS'])
        os.environ.setdefault('LOCAL_RANK', os.environ.get('SLURM_LOCALID', '0'))
        os.environ.setdefault('MASTER_PORT', '29500')
    limit = None if timeout is None else timedelta(seconds=timeout)
    torch.distributed.init_process_group('gloo', timeout=limit)


def leave_processes() -> None:
    """Leave the process group together, at the end of a command.

    A gloo process whose peer is gone first may abort while it exits.
    """
    if is_distributed():
        barrier()
        torch.distributed.destroy_process_group()
