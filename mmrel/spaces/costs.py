"""Costs of paths: FLOPs, parameters, or measured latency."""

import json
import os
import platform
import statistics
import time
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import torch
from mmengine.device import get_device

from mmrel.registry import MODELS, SEARCH_COSTS
from mmrel.utils.checks import check_count
from mmrel.utils.files import write_atomically

from .space import SearchSpace

__all__ = ['FLOPsCost', 'LatencyCost', 'ParametersCost', 'PathCost']


class PathCost(Protocol):
    """A cost of paths.

    Attributes:
        name (str): Used in column and file names.

    A cost that has to be measured has ``measured = True``: a search then calls it
    for as few paths as it can.
    """

    name: str

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        """Costs of N paths given as option indices (N, C), shape (N,)."""


@SEARCH_COSTS.register_module()
class FLOPsCost:
    """Multiply-accumulates per image, by the space's closed form."""

    name = 'flops'

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        """Costs of N paths given as option indices (N, C), shape (N,), int64."""
        return space.flops(indices)


@SEARCH_COSTS.register_module()
class ParametersCost:
    """Parameters of the stand-alone network, by the space's closed form."""

    name = 'parameters'

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        """Costs of N paths given as option indices (N, C), shape (N,), int64."""
        return space.parameters(indices)


@SEARCH_COSTS.register_module()
class LatencyCost:
    """Latency of the stand-alone network's forward pass in ms, measured on this machine.

    It is the median of several forward passes after a warm-up. Results are cached
    separately for each space, device, batch size, image size and number of
    threads. Paths with the same network are measured once.

    Args:
        batch_size (int): Batch size. Defaults to 1.
        device (str, optional): Device to measure on. Defaults to None: an
            accelerator if there is one, else the CPU.
        image_size (int, optional): Image size in pixels. Defaults to None: the
            space's ``image_size``.
        warmup (int): Number of warm-up passes. Defaults to 5.
        repeats (int): Number of timed passes. Defaults to 20.
        file (str, optional): JSON file that caches the results across runs.
            Several processes may share it. Defaults to None: cache in memory.

    Raises:
        ValueError: If a number is too small.
    """

    name = 'latency_ms'
    measured = True

    def __init__(
        self,
        batch_size: int = 1,
        device: str | None = None,
        image_size: int | None = None,
        warmup: int = 5,
        repeats: int = 20,
        file: str | None = None,
    ) -> None:
        check_count(1, 'cost', batch_size=batch_size, repeats=repeats)
        check_count(0, 'cost', warmup=warmup)
        self.batch_size = batch_size
        self.device = torch.device(device or get_device())
        self.image_size = image_size
        self.warmup = warmup
        self.repeats = repeats
        self.file = file
        self._known: dict[str, dict[str, float]] = {}

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        """Costs of N paths given as option indices (N, C), shape (N,), float64.

        Raises:
            ValueError: If the file is not a latency cache, or the image size is
                unknown.
        """
        size = self.image_size or getattr(space, 'image_size', None)
        if size is None:
            raise ValueError(f'{type(space).__name__} has no known image size: set cost.image_size')
        setting = (
            f'space {space.fingerprint()}, {_device_name(self.device)}, batch {self.batch_size}, '
            f'{size} px, {torch.get_num_threads()} threads'
        )
        self._read()
        known = self._known.setdefault(setting, {})
        costs = []
        for path in space.paths(indices):
            key = space.key(path)
            if key not in known:
                known[key] = self._measure(space.subnet(path), size)
                self._write()
            costs.append(known[key])
        return np.array(costs, dtype=np.float64)

    def _read(self) -> None:
        if self.file is None or not os.path.exists(self.file):
            return
        try:
            with open(self.file) as file:
                content = json.load(file)
            for setting, values in content.items():
                kept = self._known.setdefault(setting, {})
                kept.update({key: float(value) for key, value in values.items()})
        except (ValueError, AttributeError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(
                f'cost.file={self.file!r} is not a latency cache ({error}): delete it, or use '
                'another file'
            ) from error

    def _write(self) -> None:
        if self.file is not None:
            self._read()  # merge what other processes have added
            content = json.dumps(self._known, indent=1).encode()
            write_atomically(content, self.file, shared=True)

    def _measure(self, config: dict[str, Any], size: int) -> float:
        model = MODELS.build(config).to(self.device).eval()
        images = torch.zeros(self.batch_size, 3, size, size, device=self.device)
        times = []
        with torch.inference_mode():
            for i in range(self.warmup + self.repeats):
                self._wait()
                start = time.perf_counter()
                model(images)
                self._wait()
                if i >= self.warmup:
                    times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times)

    def _wait(self) -> None:
        """Wait until the device has finished its work; a no-op on CPUs."""
        if self.device.type != 'cpu':
            torch.accelerator.synchronize(self.device)


def _device_name(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    if device.type != 'cpu':
        return device.type
    with suppress(OSError), open('/proc/cpuinfo') as lines:
        for line in lines:
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
