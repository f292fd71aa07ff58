"""The random choices of a view, as plain values.

A view is first drawn, from the image's size alone, and then applied to its pixels. So
the draws can be made before an image is decoded, and the colors can be applied
elsewhere: ``color_row`` encodes them for :mod:`.batched_color`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torchvision.transforms as tv
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

# Columns of a row. Three blends fit before the hue shift and three after it.
SLOTS = 6
KINDS, FACTORS = slice(0, SLOTS), slice(SLOTS, 2 * SLOTS)
SHIFT, GRAY, RADIUS, WEIGHT, EDGE, SOLARIZE, ROW = range(2 * SLOTS, 2 * SLOTS + 7)
NO_SHIFT, NO_RADIUS, NO_SOLARIZE = -1, -1, 256


@dataclass(frozen=True)
class CropDraw:
    """A box in an image, in pixels.

    Attributes:
        top (int): First row.
        left (int): First column.
        height (int): Number of rows.
        width (int): Number of columns.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height and width."""
        return self.top, self.left, self.height, self.width


@dataclass(frozen=True)
class ColorDraw:
    """What happens to a view's colors. By default nothing.

    A None is an operation that is not applied. A factor of 1 leaves all pixels as they
    are, but a hue shift of 0 does not: Pillow's conversion to HSV and back rounds.

    Attributes:
        order (tuple[int, ...]): Order of the jitter's operations: 0 is brightness,
            1 contrast, 2 saturation, 3 hue.
        brightness (float, optional): Factor.
        contrast (float, optional): Factor.
        saturation (float, optional): Factor.
        hue (float, optional): Shift, in turns.
        gray (bool): Whether the view becomes gray.
        sigma (float, optional): Standard deviation of the blur in pixels.
        solarize (int, optional): Values from here on are inverted.
    """

    order: tuple[int, ...] = (BRIGHTNESS, CONTRAST, SATURATION, HUE)
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    hue: float | None = None
    gray: bool = False
    sigma: float | None = None
    solarize: int | None = None

    @property
    def jitter(self) -> list[tuple[int, float]]:
        """The jitter's operations that are applied, in their order, with their values."""
        values = (self.brightness, self.contrast, self.saturation, self.hue)
        return [(kind, value) for kind in self.order if (value := values[kind]) is not None]

    @property
    def changes(self) -> bool:
        """Whether anything is applied."""
        return bool(self.jitter or self.gray or (self.sigma, self.solarize) != (None, None))


@dataclass(frozen=True)
class ViewDraw:
    """A view: its crop, whether it is flipped, and its colors.

    Attributes:
        crop (CropDraw): The box, in the image's original pixels.
        flip (bool): Whether the view is mirrored.
        color (ColorDraw): The colors. Defaults to unchanged ones.
    """

    crop: CropDraw
    flip: bool
    color: ColorDraw = field(default_factory=ColorDraw)


@dataclass(frozen=True)
class OperationDraw:
    """An operation of RandAugment.

    Attributes:
        name (str): torchvision's name, such as 'Rotate'.
        strength (float): In the operation's own unit, with its sign.
    """

    name: str
    strength: float


def happens(probability: float) -> bool:
    """Draw whether something happens; probability 0 draws nothing."""
    return probability > 0 and torch.rand(()).item() < probability


def draw_crop(size: tuple[int, int], scale: Sequence[float], ratio: Sequence[float]) -> CropDraw:
    """The box of torchvision's ``RandomResizedCrop``.

    Args:
        size (tuple[int, int]): Width and height of the image.
        scale (Sequence[float]): Range of the area, as a fraction of the image.
        ratio (Sequence[float]): Range of width / height.

    Returns:
        CropDraw: The box.
    """
    width, height = size
    # torchvision reads only the size of the image.
    image = torch.empty((1, height, width), device='meta')
    return CropDraw(*tv.RandomResizedCrop.get_params(image, list(scale), list(ratio)))


def draw_jitter(jitter: tv.ColorJitter) -> dict:
    """The order and the values of torchvision's ``ColorJitter``.

    Args:
        jitter (ColorJitter): Gives the ranges.

    Returns:
        dict: Arguments of :class:`ColorDraw`.
    """
    order, brightness, contrast, saturation, hue = jitter.get_params(
        jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
    )
    return dict(
        order=tuple(order.tolist()),
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        hue=hue,
    )


def hue_steps(shift: float) -> int:
    """torchvision's hue shift in steps of Pillow's 8-bit hue, from 0 to 255."""
    return int(shift * 255) % 256


def box_of(sigma: float) -> tuple[int, int, int]:
    """The box filter with which Pillow approximates a Gaussian, in three passes.

    Source: P. Gwosdek et al., "Theoretical foundations of Gaussian convolution by
    extended box filtering", SSVM 2011.

    Args:
        sigma (float): Standard deviation in pixels.

    Returns:
        tuple[int, int, int]: The radius r, the weight of the 2 r + 1 inner pixels and
        that of the two pixels outside, in units of 2 ** -24.
    """
    # Pillow computes in float32; NumPy 1 would not, with Python's numbers.
    one, two, three, six = (np.float32(x) for x in (1, 2, 3, 6))
    variance = np.float32(sigma) * np.float32(sigma) / three
    length = np.float32(math.sqrt(12.0 * float(variance) + 1.0))
    whole = np.float32(math.floor((float(length) - 1.0) / 2.0))
    part = (two * whole + one) * (whole * (whole + one) - three * variance)
    part /= six * (variance - (whole + one) * (whole + one))
    width = (whole + part) * two + one
    radius, weight = int(whole + part), int(np.float32(2**24) / width)
    return radius, weight, (2**24 - (2 * radius + 1) * weight) // 2


def color_row(draw: ColorDraw) -> Tensor:
    """A draw as numbers for :func:`.apply_colors`.

    Args:
        draw (ColorDraw): The draw.

    Returns:
        Tensor: (ROW,) float32; all values are exact.
    """
    jitter = draw.jitter
    kinds, factors, shift = [0.0] * SLOTS, [1.0] * SLOTS, NO_SHIFT
    slot = 0
    for kind, value in jitter:
        if kind == HUE:
            shift, slot = hue_steps(value), SLOTS // 2
        else:
            kinds[slot], factors[slot] = kind, value
            slot += 1
    box = (NO_RADIUS, 0, 0) if draw.sigma is None else box_of(draw.sigma)
    solarize = NO_SOLARIZE if draw.solarize is None else draw.solarize
    return torch.tensor([*kinds, *factors, shift, draw.gray, *box, solarize])
