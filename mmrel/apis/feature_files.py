"""Write features to disk: .npy with a list of paths, or .parquet."""

import os
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from mmrel.utils.files import write_together

from .output_files import check_ending, check_texts, check_writable

ENDINGS = ('.npy', '.parquet')


def check_feature_file(path: str) -> None:
    """Check in advance that features can be written to a file.

    Args:
        path (str): As for :func:`.check_writable`.

    Raises:
        ValueError, ImportError, OSError: As for :func:`.check_writable`.
    """
    check_writable(path, ENDINGS, 'features')


def check_paths(path: str, names: Sequence[str]) -> None:
    """Check that the images' paths can be written with their features.

    Args:
        path (str): The output file.
        names (Sequence[str]): The images' paths.

    Raises:
        ValueError: If a path contains a line break (.npy), or is not UTF-8
            (.parquet).
    """
    check_texts(path, names, '.npy')
    for name in names:
        if path.endswith('.npy') and ('\n' in name or '\r' in name):
            raise ValueError(f'path {name!r} has a line break: rename it, or write a .parquet file')


def paths_file(path: str) -> str:
    """The path list that belongs to a .npy file: features.npy -> features.paths.txt."""
    return f'{os.path.splitext(path)[0]}.paths.txt'


def write_features(path: str, features: np.ndarray, names: Sequence[str]) -> None:
    """Write features and the paths of their images, completely or not at all.

    Args:
        path (str): A .npy file (the paths go to :func:`paths_file`, one per line)
            or a .parquet file (columns ``path`` and ``feature``, a list of fixed
            size).
        features (ndarray): float32, (N, C).
        names (Sequence[str]): The N paths.

    Raises:
        ValueError: If the numbers of features and paths differ.
        OSError: If writing fails; existing files are not changed.
    """
    if len(features) != len(names):
        raise ValueError(f'{len(features)} features do not match {len(names)} images')
    if check_ending(path, ENDINGS, 'features') == '.npy':
        lines = ''.join(f'{name}\n' for name in names).encode(errors='surrogateescape')
        write_together(
            {
                path: lambda file: np.save(file, features, allow_pickle=False),
                paths_file(path): lambda file: file.write(lines),
            }
        )
    else:
        write_together({path: lambda file: _write_parquet(file, features, names)})


def _write_parquet(file: BinaryIO, features: np.ndarray, names: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = pa.array(np.ascontiguousarray(features).reshape(-1), pa.float32())
    column = pa.FixedSizeListArray.from_arrays(values, features.shape[1])
    pq.write_table(pa.table(dict(path=pa.array(names, pa.string()), feature=column)), file)
