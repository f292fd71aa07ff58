"""Half precision for inference: the dtypes that a device supports."""

import warnings

import torch
from torch import nn

DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}


def usable_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Check that a device supports a dtype for convolutions and matrix products under autocast.

    Args:
        dtype (str): A key of ``DTYPES``.
        device (torch.device): The model's device.

    Returns:
        torch.dtype: The dtype; float32 needs no autocast.

    Raises:
        ValueError: If the dtype is unknown, or torch cannot use it on the device.
    """
    if dtype not in DTYPES:
        raise ValueError(f'dtype={dtype!r} must be one of {", ".join(DTYPES)}')
    if dtype == 'float32':
        return DTYPES[dtype]
    try:
        # If autocast does not support the dtype, it only warns and disables itself.
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('error')
            with torch.autocast(device.type, DTYPES[dtype]):
                maps = nn.Conv2d(3, 8, 3, device=device)(torch.zeros(1, 3, 8, 8, device=device))
                result = nn.Linear(8, 2, device=device)(maps.mean(dim=(2, 3)))
        reason = '' if result.dtype == DTYPES[dtype] else f'it computes in {result.dtype}'
    except (RuntimeError, UserWarning) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if reason:
        other = 'float32' if dtype == 'bfloat16' else 'bfloat16'
        raise ValueError(
            f'dtype={dtype!r} cannot be used on {str(device)!r} ({reason}): use {other!r}'
        )
    return DTYPES[dtype]
