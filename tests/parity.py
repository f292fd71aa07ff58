"""Parity cases: figures that the authors' programs computed.

A case is a JSON file; its tensors are made here from a seed and a name, with
NumPy's frozen legacy generator. ``MMREL_PARITY_CASES`` names another folder
with cases of the same kinds.
"""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CASES = Path(os.environ.get('MMREL_PARITY_CASES') or Path(__file__).parent / 'data' / 'parity')


def cases(kinds: set[str]) -> list[Path]:
    """The case files of the given kinds."""
    return [p for p in sorted(CASES.glob('*.json')) if json.loads(p.read_text())['kind'] in kinds]


def _generator(seed: int, name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(f'{seed}/{name}'.encode()))


def gaussian(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return _generator(seed, name).standard_normal(shape).astype(np.float32)


def unit_columns(seed: int, name: str, shape: tuple[int, int]) -> np.ndarray:
    x = gaussian(seed, name, shape)
    return x / np.linalg.norm(x, axis=0, keepdims=True)


def integers(seed: int, name: str, shape: tuple[int, ...], high: int) -> np.ndarray:
    return _generator(seed, name).randint(0, high, size=shape).astype(np.int64)


def weight(seed: int, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The start value of a state-dict entry, by the last part of its key and its rank."""
    last = key.rpartition('.')[2]
    if last == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    x = gaussian(seed, key, shape)
    if last == 'running_var':
        return (1 + 0.1 * np.abs(x)).astype(np.float32)
    if last in ('running_mean', 'bias'):
        return 0.1 * x
    if last in ('cls_token', 'pos_embed'):
        return 0.02 * x
    if len(shape) == 1:
        return (1 + 0.1 * x).astype(np.float32)
    return (x * np.sqrt(2.0 / np.prod(shape[1:], dtype=int))).astype(np.float32)


def assert_digest(x: Tensor, digest: dict, what: str, tolerance: float = 1e-7) -> None:
    """Compare a tensor with its norm, sum and first values, each at its own scale."""
    x = x.detach().double().flatten()
    norm = digest['norm']
    assert abs(x.norm().item() - norm) <= tolerance * norm, f'{what}: norm'
    sum_scale = norm * x.numel() ** 0.5
    assert abs(x.sum().item() - digest['sum']) <= tolerance * sum_scale, f'{what}: sum'
    rms = norm / x.numel() ** 0.5
    head = torch.tensor(digest['head'], dtype=torch.float64)
    error = (x[: len(head)] - head).abs().max().item()
    assert error <= tolerance * rms, f'{what}: first values are off by {error / rms:.1e} of the rms'
