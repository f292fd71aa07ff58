"""The draws of many samples at once, equal to those that the views make one by one.

Each sample has a seed. Its views draw from torch's generator, a Mersenne Twister, as
:mod:`.draws` does; here NumPy's gives the same 32-bit numbers. Calling torch for each draw
takes several times as long as changing a small image.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
import torchvision.transforms as tv
from torch import Tensor

from .draws import (
    FACTORS,
    GRAY,
    HUE,
    KINDS,
    NO_RADIUS,
    NO_SHIFT,
    NO_SOLARIZE,
    RADIUS,
    ROW,
    SHIFT,
    SLOTS,
    SOLARIZE,
    box_of,
)

_TRIES = 10  # of torchvision's RandomResizedCrop


@cache
def _is_fused() -> bool | None:
    """Whether this build of torch rounds ``x * (b - a) + a`` once; None: something differs."""
    for fused in (True, False):
        streams = Streams([7], fused)
        generator = torch.Generator().manual_seed(7)
        uniform = torch.empty(4096).uniform_(0.2, 1.0, generator=generator).numpy()
        same = np.array_equal(np.concatenate([streams.uniform(0.2, 1.0) for _ in uniform]), uniform)
        order = torch.randperm(4, generator=generator).tolist()
        below = torch.randint(0, 33, (8,), generator=generator).tolist()
        same &= streams.order(np.arange(1)).tolist() == [order]
        if same and below == [int(streams.below(33)[0]) for _ in below]:
            return fused
    return None


def reproduces_torch() -> bool:
    """Whether :class:`Streams` gives what the installed torch draws."""
    return _is_fused() is not None


class Streams:
    """The random numbers of samples, each with its own seed.

    Each method draws one number for each of the chosen samples (all by default).

    Args:
        seeds (Sequence[int]): For each sample, what its torch generator would be seeded with,
            32 bits.
        fused (bool, optional): See :func:`_is_fused`. Defaults to None: as torch does.
    """

    def __init__(self, seeds: Sequence[int], fused: bool | None = None) -> None:
        self.seeds = seeds
        self.fused = _is_fused() if fused is None else fused
        self.all = np.arange(len(seeds))
        self._used = np.zeros(len(seeds), np.intp)
        self._fill(64)

    def __len__(self) -> int:
        return len(self.seeds)

    def _fill(self, length: int) -> None:
        twister = np.random.MT19937()
        state = np.random.RandomState(twister)  # seeds it as torch seeds its own
        self._raw = np.empty((len(self.seeds), length), np.uint32)
        for numbers, seed in zip(self._raw, self.seeds, strict=True):
            state.seed(seed)
            numbers[:] = twister.random_raw(length)

    def _next(self, rows: np.ndarray | None) -> np.ndarray:
        rows = self.all if rows is None else rows
        used = self._used[rows]
        if len(used) and used.max() >= self._raw.shape[1]:
            self._fill(2 * self._raw.shape[1])
        self._used[rows] += 1
        return self._raw[rows, used]

    def uniform(self, low: float, high: float, rows: np.ndarray | None = None) -> np.ndarray:
        """As ``torch.empty(1).uniform_(low, high)``, float32."""
        unit = (self._next(rows) & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
        start, width = np.float32(low), np.float32(high) - np.float32(low)
        if self.fused:
            return (unit.astype(np.float64) * np.float64(width) + start).astype(np.float32)
        return unit * width + start

    def below(self, limit: np.ndarray | int, rows: np.ndarray | None = None) -> np.ndarray:
        """As ``torch.randint(limit, (1,))``; the limit may differ between samples."""
        return (self._next(rows) % np.asarray(limit)).astype(np.intp)

    def happens(self, probability: float) -> np.ndarray:
        """As :func:`.draws.happens`, for all samples."""
        if probability <= 0:
            return np.zeros(len(self), bool)
        return self.uniform(0, 1).astype(np.float64) < probability

    def order(self, rows: np.ndarray, number: int = 4) -> np.ndarray:
        """As ``torch.randperm(number)``, (rows, number)."""
        found = np.tile(np.arange(number), (len(rows), 1))
        lines = np.arange(len(rows))
        for i in range(number - 1):
            other = i + self.below(number - i, rows)
            found[lines, i], found[lines, other] = found[lines, other], found[lines, i].copy()
        return found


def draw_crops(
    streams: Streams, sizes: np.ndarray, scale: Sequence[float], ratio: Sequence[float]
) -> np.ndarray:
    """As :func:`.draws.draw_crop`.

    Args:
        streams (Streams): The samples.
        sizes (ndarray): Width and height of each image, (B, 2).
        scale (Sequence[float]): Range of the area, as a fraction of the image.
        ratio (Sequence[float]): Range of width / height.

    Returns:
        ndarray: Top, left, height and width, (B, 4).
    """
    low, high = torch.log(torch.tensor(ratio)).tolist()
    boxes = _central(sizes, ratio)
    rows = streams.all
    for _ in range(_TRIES):
        width, height = sizes[rows].T
        area = (width * height) * streams.uniform(scale[0], scale[1], rows).astype(np.float64)
        logs = torch.from_numpy(streams.uniform(low, high, rows))
        aspect = torch.exp(logs).numpy().astype(np.float64)
        w, h = (np.rint(np.sqrt(x)).astype(np.intp) for x in (area * aspect, area / aspect))
        fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
        chosen, w, h = rows[fits], w[fits], h[fits]
        top = streams.below(sizes[chosen, 1] - h + 1, chosen)
        left = streams.below(sizes[chosen, 0] - w + 1, chosen)
        boxes[chosen] = np.stack([top, left, h, w], 1)
        rows = rows[~fits]
        if not len(rows):
            break
    return boxes


def _central(sizes: np.ndarray, ratio: Sequence[float]) -> np.ndarray:
    """What torchvision takes if no box fits: the largest central one."""
    width, height = sizes.T
    shape = width / height
    w = np.where(shape > max(ratio), np.rint(height * max(ratio)), width).astype(np.intp)
    h = np.where(shape < min(ratio), np.rint(width / min(ratio)), height).astype(np.intp)
    return np.stack([(height - h) // 2, (width - w) // 2, h, w], 1)


def plain_colors(number: int) -> np.ndarray:
    """Rows of unchanged colors, as :func:`.draws.color_row` encodes them, (number, ROW)."""
    rows = np.zeros((number, ROW), np.float32)
    rows[:, FACTORS], rows[:, SHIFT] = 1, NO_SHIFT
    rows[:, RADIUS], rows[:, SOLARIZE] = NO_RADIUS, NO_SOLARIZE
    return rows


def draw_jitters(
    streams: Streams, jitter: tv.ColorJitter, rows: np.ndarray, out: np.ndarray
) -> None:
    """As :func:`.draws.draw_jitter`.

    Args:
        streams (Streams): The samples.
        jitter (ColorJitter): Gives the ranges.
        rows (ndarray): The samples that are changed.
        out (ndarray): Rows of colors, (B, ROW); changed in place.
    """
    order = streams.order(rows)
    ranges = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    values = [None if r is None else streams.uniform(r[0], r[1], rows) for r in ranges]
    kinds, factors = out[:, KINDS], out[:, FACTORS]
    slots = np.zeros(len(rows), np.intp)
    for place in range(4):
        for kind, value in enumerate(values):
            here = order[:, place] == kind
            if value is None:
                continue
            if kind == HUE:
                # Truncated like int(), then modulo 256.
                steps = np.trunc(value[here].astype(np.float64) * 255) % 256
                out[rows[here], SHIFT] = steps
                slots[here] = SLOTS // 2
            else:
                kinds[rows[here], slots[here]] = kind
                factors[rows[here], slots[here]] = value[here]
                slots[here] += 1


def draw_colors(
    streams: Streams,
    jitter: tv.ColorJitter,
    jitter_prob: float,
    gray_prob: float,
    blur_prob: float,
    blur_sigma: Sequence[float],
    solarize_prob: float,
    solarize_threshold: int,
) -> Tensor:
    """As ``ContrastiveView.draw_color``, whose attributes the arguments are.

    Returns:
        Tensor: (B, ROW) float32, for :func:`.apply_colors`.
    """
    out = plain_colors(len(streams))
    draw_jitters(streams, jitter, streams.happens(jitter_prob).nonzero()[0], out)
    out[:, GRAY] = streams.happens(gray_prob)
    blurred = streams.happens(blur_prob).nonzero()[0]
    if len(blurred):
        sigmas = streams.uniform(blur_sigma[0], blur_sigma[1], blurred)
        for row, sigma in zip(blurred, sigmas, strict=True):
            out[row, RADIUS : RADIUS + 3] = box_of(float(sigma))
    out[streams.happens(solarize_prob), SOLARIZE] = solarize_threshold
    return torch.from_numpy(out)
