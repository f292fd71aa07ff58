"""Slices from the left or the right of the widest layer."""

from collections.abc import Sequence
from functools import lru_cache

from torch import Tensor

# BCNet (CVPR 2021) uses both sides, AutoSlim only the left.
SIDES = dict(bcnet=('left', 'right'), autoslim=('left',))


@lru_cache(4096)
def window(width: int, full: int, side: str) -> slice:
    """The first or the last ``width`` of ``full`` channels.

    Args:
        width (int): Number of channels, at most ``full``.
        full (int): Channels of the layer.
        side (str): 'left' or 'right'.

    Raises:
        ValueError: If the side is unknown, or the slice does not fit the layer.
    """
    if side not in ('left', 'right'):
        raise ValueError(f"side={side!r} must be 'left' or 'right'")
    if not 0 < width <= full:
        raise ValueError(f'a slice of {width} channels does not fit a layer of {full}')
    return slice(0, width) if side == 'left' else slice(full - width, full)


def cut(tensor: Tensor, widths: Sequence[int | None], side: str) -> Tensor:
    """A view of a tensor with its leading axes sliced.

    Args:
        tensor (Tensor): A weight, bias, token or position embedding.
        widths (Sequence[int | None]): Widths of the leading axes; None keeps an axis.
        side (str): 'left' or 'right'.

    Returns:
        Tensor: The view, or the tensor itself if nothing is cut off.
    """
    for axis, width in enumerate(widths):
        if width is not None:
            full = tensor.shape[axis]
            part = window(width, full, side)
            if width < full:
                tensor = tensor.narrow(axis, part.start, width)
    return tensor
