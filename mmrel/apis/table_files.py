"""Write predictions to disk: .csv or .parquet, with one row per image."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from mmrel.utils.files import write_together

from .output_files import check_ending

ENDINGS = ('.csv', '.parquet')


def write_table(path: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of equal length, completely or not at all.

    Args:
        path (str): A .csv file (UTF-8, with a header) or a .parquet file.
        columns (Mapping[str, Sequence]): Column values by name: strings, integers,
            or a float32 array.

    Raises:
        ValueError: If the columns differ in length.
        OSError: If writing fails; an existing file is not changed.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'the columns must have equal lengths, not {lengths}')
    write = _write_csv if check_ending(path, ENDINGS, 'predictions') == '.csv' else _write_parquet
    write_together({path: lambda file: write(file, columns)})


def _write_csv(file: BinaryIO, columns: Mapping[str, Sequence[Any]]) -> None:
    # Paths may contain any bytes; write them unchanged.
    text = io.TextIOWrapper(file, 'utf-8', errors='surrogateescape', newline='', write_through=True)
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    text.detach()


def _write_parquet(file: BinaryIO, columns: Mapping[str, Sequence[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), file)
