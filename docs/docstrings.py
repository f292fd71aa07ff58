"""A griffe extension for the docstrings' Sphinx roles and `Example:` sections."""

import re
from collections.abc import Iterator

import griffe

_ROLE = re.compile(r':(?:func|class|meth|attr|mod|data|exc):`~?\.*([^`]+)`')


def _objects(module: griffe.Object) -> Iterator[griffe.Object]:
    for member in module.members.values():
        if not member.is_alias:
            yield member
            yield from _objects(member)


class Docstrings(griffe.Extension):
    """Turn roles into links, where the API pages have the object, else into code.

    Also rename the section `Example:`: griffe knows `Examples:`.
    """

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs) -> None:
        objects = list(_objects(pkg))
        names = [item.path for item in objects]
        for item in objects:
            if item.docstring is not None:
                text = re.sub(r'^(\s*)Example:$', r'\1Examples:', item.docstring.value, flags=re.M)
                item.docstring.value = _ROLE.sub(
                    lambda match, item=item: _link(match[1], item.path, names), text
                )


def _link(name: str, place: str, names: list[str]) -> str:
    """HTML of a role in the docstring of ``place``; a link that leads nowhere becomes text."""
    scopes = [place]
    while '.' in scopes[-1]:
        scopes.append(scopes[-1].rpartition('.')[0])
    found = [x for x in (name, *(f'{scope}.{name}' for scope in scopes)) if x in names]
    found = found or [x for x in names if x.endswith(f'.{name}')]
    code = f'<code>{name.rpartition(".")[2]}</code>'
    return f'<autoref identifier="{found[0]}" optional>{code}</autoref>' if found else code
