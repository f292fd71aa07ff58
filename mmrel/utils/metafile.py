"""Read the zoo's metafiles, and change single fields in them.

A change leaves all other lines untouched, including comments.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# Lines of the file: entries are list items at 2 spaces, their fields at 4.
_ITEM, _FIELD = 2, 4


class _Dumper(yaml.SafeDumper):
    """Indents lists below a key, as in all metafiles."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def read_index(root: Path) -> dict[Path, list[dict]]:
    """The entries of all metafiles listed in ``model-index.yml``.

    Args:
        root (Path): The folder of ``model-index.yml``.

    Returns:
        dict[Path, list[dict]]: The ``Models`` of each metafile, in order.
    """
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    files = [root / path for path in index['Import']]
    return {file: yaml.safe_load(file.read_text())['Models'] for file in files}


def set_fields(text: str, name: str, fields: Mapping[str, Any]) -> str:
    """Change fields of an entry.

    Args:
        text (str): A metafile.
        name (str): The entry's ``Name``.
        fields (Mapping[str, Any]): Values by field. 'Metadata.FLOPs' is FLOPs in
            Metadata. A missing field is added after the last one.

    Returns:
        str: The changed metafile.

    Raises:
        KeyError: If the entry does not exist, or a parent field is not a mapping.
        ValueError: If the file is not in YAML block style like the other metafiles.
    """
    expected = yaml.safe_load(text)
    entry = next((e for e in expected.get('Models', []) if e['Name'] == name), None)
    if entry is None:
        raise KeyError(f'no entry has the name {name}')
    lines = text.splitlines()
    for field, value in fields.items():
        parent, _, key = field.rpartition('.')
        holder = entry.get(parent) if parent else entry
        if not isinstance(holder, dict):
            raise KeyError(f'{name}: {parent} must be a mapping')
        holder[key] = value
        begin, end = _entry(lines, name)
        indent = _FIELD
        if parent:
            begin, end = _field(lines, begin, end, _FIELD, parent) or (end, end)
            indent += 2
        here = _field(lines, begin, end, indent, key)
        lines[slice(*(here or (end, end)))] = _written(key, value, indent)
    changed = '\n'.join(lines) + '\n'
    try:
        fits = yaml.safe_load(changed) == expected
    except yaml.YAMLError:
        fits = False
    if not fits:
        raise ValueError(f'{name}: the metafile must use YAML block style, like the others')
    return changed


def add_entry(text: str, entry: Mapping[str, Any]) -> str:
    """Add an entry at the end of a metafile's ``Models``.

    Args:
        text (str): A metafile that ends with ``Models``.
        entry (Mapping[str, Any]): The entry, with ``Name`` first.

    Returns:
        str: The changed metafile.

    Raises:
        ValueError: If ``Models`` is not the last part, or already has this name.
    """
    expected = yaml.safe_load(text)
    if list(expected)[-1] != 'Models' or entry['Name'] in [e['Name'] for e in expected['Models']]:
        raise ValueError(
            f'{entry["Name"]} cannot be added: it already exists, or Models is not last'
        )
    lines = yaml.dump([dict(entry)], Dumper=_Dumper, sort_keys=False, width=10**6).splitlines()
    return text.rstrip('\n') + '\n' + ''.join(f'{" " * _ITEM}{line}\n' for line in lines)


def _written(key: str, value: Any, indent: int) -> list[str]:
    dumped = yaml.dump(
        {key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6
    )
    return [' ' * indent + line for line in dumped.splitlines()]


def _entry(lines: list[str], name: str) -> tuple[int, int]:
    """The lines of an entry, without trailing empty lines."""
    heads = [i for i, line in enumerate(lines) if line.startswith(' ' * _ITEM + '- ')]
    models = next(i for i, line in enumerate(lines) if line.startswith('Models:'))
    pattern = re.compile(rf' {{{_ITEM}}}- Name: +[\'"]?{re.escape(name)}[\'"]? *(#.*)?$')
    begin = next((i for i in heads if i > models and pattern.match(lines[i])), None)
    if begin is None:
        raise ValueError(f'{name}: Name must be the first field of its entry')
    return begin, _end(lines, begin, len(lines), _ITEM)


def _field(lines: list[str], begin: int, end: int, indent: int, key: str) -> tuple[int, int] | None:
    """The lines of a field."""
    for i in range(begin, end):
        if re.match(rf' {{{indent}}}{re.escape(key)}:( |$)', lines[i]):
            return i, _end(lines, i, end, indent)
    return None


def _end(lines: list[str], begin: int, end: int, indent: int) -> int:
    """The end of the block at ``begin``, without trailing comments and empty lines."""
    last = begin + 1
    for i in range(begin + 1, end):
        depth = len(lines[i]) - len(lines[i].lstrip())
        if not lines[i].strip() or lines[i].lstrip().startswith('#'):
            continue
        if depth <= indent:
            break
        last = i + 1
    return last
