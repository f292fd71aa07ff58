"""Distributed training, on accelerators or on the CPU."""

import os
from datetime import timedelta
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, is_distributed
from mmengine.model import BaseModel, MMDistributedDataParallel, is_model_wrapper
from torch import nn

from mmrel.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class AnyDeviceDataParallel(MMDistributedDataParallel):
    """mmengine's ``MMDistributedDataParallel`` that also wraps CPU models.

    Args:
        module (nn.Module): The model.
        device_ids (list, optional): The Runner passes the local rank. Ignored
            on the CPU.
        broadcast_buffers (bool): Defaults to False, like the Runner: each rank
            keeps its own BN statistics.
        **kwargs: Passed to ``torch.nn.parallel.DistributedDataParallel``.
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
    """Replicate a model whose own ``train_step`` averages the gradients.

    For models that know which parameters a step uses:
    ``DistributedDataParallel`` would also reduce the unused ones. The Runner
    makes the replicas equal at the start.

    Args:
        module (BaseModel): The model.
    """

    def __init__(self, module: BaseModel) -> None:
        super().__init__()
        self.module: BaseModel = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        return self.module(*args, **kwargs)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model's ``train_step``."""
        return self.module.train_step(*args, **kwargs)

    def val_step(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model's ``val_step``."""
        return self.module.val_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model's ``test_step``."""
        return self.module.test_step(*args, **kwargs)


def unwrap(model: nn.Module) -> BaseModel:
    """The model itself, without the Runner's wrapper for multiple processes."""
    return model.module if is_model_wrapper(model) else model


def init_cpu_processes(launcher: str, timeout: float | None = None) -> None:
    """Initialize a gloo process group if there is no accelerator.

    mmengine's own initialization sets a CUDA device first. With an accelerator,
    or with a single process, this does nothing.

    Args:
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        timeout (float, optional): Seconds that a collective waits for the other
            ranks, ``env_cfg.dist_cfg.timeout``. Defaults to None: torch's default.

    Raises:
        ValueError: If ``timeout`` is not a positive number.
    """
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise ValueError(
            f'env_cfg.dist_cfg.timeout={timeout!r} must be a positive number of seconds'
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

    A gloo process may abort on exit if its peer is already gone.
    """
    if is_distributed():
        barrier()
        torch.distributed.destroy_process_group()
