"""Color operations on a batch, with the draws of each sample, on any device.

They compute what Pillow computes, in integers or in float32 with Pillow's order of
operations. No loop runs over samples, and nothing waits for the device: which
operations a batch needs is read from the draws, which are on the host.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor

from .color_tables import (
    BITS,
    HALF,
    hue_table,
    lowest_table,
    middle_table,
    places_table,
    saturation_table,
)
from .draws import (
    CONTRAST,
    EDGE,
    FACTORS,
    GRAY,
    KINDS,
    NO_RADIUS,
    NO_SHIFT,
    NO_SOLARIZE,
    RADIUS,
    ROW,
    SATURATION,
    SHIFT,
    SLOTS,
    SOLARIZE,
    WEIGHT,
    ColorDraw,
    color_row,
)


def luma(images: Tensor) -> Tensor:
    """Pillow's conversion to gray.

    Args:
        images (Tensor): (B, 3, H, W) uint8.

    Returns:
        Tensor: (B, 1, H, W) uint8.
    """
    red, green, blue = (images[:, i : i + 1].int() for i in range(3))
    total = red.mul_(19595).add_(green.mul_(38470)).add_(blue.mul_(7471)).add_(0x8000)
    return (total >> 16).to(torch.uint8)


def blend(images: Tensor, kinds: Tensor, factors: Tensor) -> Tensor:
    """Change the brightness, the contrast or the saturation of each image.

    Args:
        images (Tensor): (B, 3, H, W) uint8.
        kinds (Tensor): What to change, (B,): 0 is brightness, 1 contrast, 2 saturation.
        factors (Tensor): (B,) float32; 1 leaves the image as it is.

    Returns:
        Tensor: (B, 3, H, W) uint8.
    """
    kinds, factors = kinds[:, None, None, None], factors[:, None, None, None]
    gray = luma(images)
    total = gray.sum((1, 2, 3), keepdim=True)
    count = gray[0].numel()
    mean = torch.div(2 * total + count, 2 * count, rounding_mode='floor').byte()
    far = torch.where(kinds == SATURATION, gray, torch.where(kinds == CONTRAST, mean, 0)).float()
    # Not lerp or addcmul: their rounding differs from Pillow's.
    return (images - far).mul_(factors).add_(far).clamp_(0, 255).to(torch.uint8)


@lru_cache
def _hue_tables(device: torch.device) -> tuple[Tensor, ...]:
    tables = (hue_table(), saturation_table(), middle_table(), lowest_table(), places_table())
    return tuple(torch.from_numpy(table).to(device) for table in tables)


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    return table.index_select(0, index.flatten()).view(index.shape)


def shift_hue(images: Tensor, steps: Tensor) -> Tensor:
    """Shift the hue of each image through Pillow's 8-bit HSV.

    Args:
        images (Tensor): (B, 3, H, W) uint8.
        steps (Tensor): (B,), 0 to 255 steps of Pillow's hue.

    Returns:
        Tensor: (B, 3, H, W) uint8.
    """
    hues, saturations, middles, lowests, places = _hue_tables(images.device)
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    least = torch.minimum(torch.minimum(red, green), blue)
    middle = red ^ green ^ blue ^ value ^ least
    chroma = value - least
    is_red = red == value
    is_green = (green == value) & ~is_red
    # Which of the two other channels is the smallest.
    second = (red != least) & (~is_red | (blue != least))
    case = 4 - 4 * is_red.byte() - 2 * is_green.byte() + second
    hue = _look_up(hues, (case.int() << 16) + ((value - middle).int() << 8) + chroma)
    hue = hue + steps.to(torch.uint8)[:, None, None]  # modulo 256
    saturation = _look_up(saturations, (chroma.int() << 8) + value)
    fraction = _look_up(middles, (hue.int() << 8) + saturation)
    middle = ((value * fraction + HALF) >> BITS).byte()
    lowest = _look_up(lowests, (value.int() << 8) + saturation)
    place = _look_up(places, hue.int())
    to_value, to_middle = value - lowest, middle - lowest
    channels = [
        lowest + to_value * (place >> 2 * i & 1) + to_middle * (place >> 2 * i + 1 & 1)
        for i in range(3)
    ]
    return torch.stack(channels, 1)


def _box_pass(images: Tensor, inner: Tensor, edge: Tensor, radii: Tensor, reach: int) -> Tensor:
    """One pass of the box filter along the last dimension, (B, 3, H, W) int32."""
    size = images.shape[-1]
    padded = torch.cat(
        [images[..., :1].expand(*images.shape[:-1], reach), images,
         images[..., -1:].expand(*images.shape[:-1], reach)], -1
    )  # fmt: skip
    total = images * inner
    for step in range(1, reach + 1):
        weight = torch.where(radii >= step, inner, torch.where(radii == step - 1, edge, 0))
        pair = padded[..., reach - step :][..., :size] + padded[..., reach + step :][..., :size]
        total += pair.mul_(weight)
    # The values are centered at 0, so that 32 bits suffice; the weights may miss some of 1.
    missing = 2**24 - inner * (2 * radii + 1) - 2 * edge
    return (total.sub_(missing << 7).add_(1 << 23)) >> 24


def blur(images: Tensor, radii: Tensor, inner: Tensor, edge: Tensor, reach: int) -> Tensor:
    """Pillow's Gaussian blur: in each direction, a box filter three times.

    Args:
        images (Tensor): (B, 3, H, W) uint8.
        radii (Tensor): Radius of each image's box, (B,), from :func:`.box_of`.
        inner (Tensor): Weight of the pixels in the box, (B,), in units of 2 ** -24.
        edge (Tensor): Weight of the two pixels beside it, (B,).
        reach (int): The largest radius, plus 1.

    Returns:
        Tensor: (B, 3, H, W) uint8.
    """
    radii, inner, edge = (x.int()[:, None, None, None] for x in (radii, inner, edge))
    pixels = images.int() - 128
    for _ in range(2):
        for _ in range(3):
            pixels = _box_pass(pixels, inner, edge, radii, reach)
        pixels = pixels.transpose(2, 3)
    return (pixels + 128).to(torch.uint8)


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the values from a threshold on.

    Args:
        images (Tensor): (B, 3, H, W) uint8.
        thresholds (Tensor): (B,); 256 leaves an image as it is.

    Returns:
        Tensor: (B, 3, H, W) uint8.
    """
    return torch.where(images < thresholds[:, None, None, None], images, 255 - images)


def apply_colors(images: Tensor, rows: Tensor) -> Tensor:
    """Color jitter in the drawn order, gray, blur and solarization.

    Args:
        images (Tensor): (B, 3, H, W) uint8 on any device.
        rows (Tensor): Each image's draw, (B, ROW) float32 on the CPU, from
            :func:`.color_row`.

    Returns:
        Tensor: (B, 3, H, W) uint8; the input itself if nothing is drawn.

    Raises:
        ValueError: If the shapes do not fit, the images are not uint8 or the draws are
            not on the CPU.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f'images must be (B, 3, H, W) uint8, not {tuple(images.shape)} {images.dtype}'
        )
    if rows.shape != (len(images), ROW) or rows.device.type != 'cpu':
        raise ValueError(
            f'rows must be ({len(images)}, {ROW}) on the CPU, not {tuple(rows.shape)} on '
            f'{rows.device}'
        )
    if not (rows != color_row(ColorDraw())).any():
        return images
    there = rows.to(images.device, non_blocking=True)
    images = images.clone()
    for slot in range(SLOTS):
        if slot == SLOTS // 2:
            _change(images, rows[:, SHIFT] != NO_SHIFT, there, _shifted)
        _change(images, rows[:, FACTORS][:, slot] != 1, there, partial(_blended, slot))
    _change(images, rows[:, GRAY] > 0, there, lambda part, _: luma(part).expand_as(part))
    reach = int(rows[:, RADIUS].max()) + 1
    _change(images, rows[:, RADIUS] != NO_RADIUS, there, partial(_blurred, reach))
    _change(images, rows[:, SOLARIZE] != NO_SOLARIZE, there, _solarized)
    return images


def _change(
    images: Tensor, chosen: Tensor, rows: Tensor, change: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Change the chosen images in place; ``chosen`` is on the host."""
    if chosen.all():
        images.copy_(change(images, rows))
    elif chosen.any():
        index = chosen.nonzero()[:, 0].to(images.device, non_blocking=True)
        images[index] = change(images[index], rows[index])


def _blended(slot: int, images: Tensor, rows: Tensor) -> Tensor:
    return blend(images, rows[:, KINDS][:, slot], rows[:, FACTORS][:, slot])


def _shifted(images: Tensor, rows: Tensor) -> Tensor:
    return shift_hue(images, rows[:, SHIFT])


def _blurred(reach: int, images: Tensor, rows: Tensor) -> Tensor:
    return blur(images, rows[:, RADIUS], rows[:, WEIGHT], rows[:, EDGE], reach)


def _solarized(images: Tensor, rows: Tensor) -> Tensor:
    return solarize(images, rows[:, SOLARIZE])
