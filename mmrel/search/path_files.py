"""Files with one path per line, as JSON."""

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.json_lines import read_rows


def read_paths(file: str, space: SearchSpace) -> list[ArchPath]:
    """Read one path per line, either the path itself or an object with the key ``path``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a path does not belong to the space. The message has its number.
    """
    rows = read_rows(file)
    if not rows:
        raise ValueError(f'{file} contains no paths')
    paths = []
    for number, row in enumerate(rows, 1):
        path = row.get('path', row)
        try:
            space.validate(path)
        except ValueError as error:
            raise ValueError(f'{file}, path {number}: {error}') from error
        paths.append(path)
    return paths
