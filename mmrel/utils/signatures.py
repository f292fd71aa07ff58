"""Determine which keywords a class or function accepts."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from torch import nn


@dataclass(frozen=True)
class Keywords:
    """The keywords of a callable.

    Attributes:
        names (tuple[str, ...]): The keywords, in the order of the signature.
        required (tuple[str, ...]): Those without a default.
        closed (bool): Whether the callable accepts no other keywords.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    closed: bool


def _only_forwards(init: Callable, name: str) -> bool:
    """Whether a constructor only passes its ``**kwargs`` on to its base."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return False
    uses = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(tree))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    forwarded = any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr == '__init__'
        and any(
            word.arg is None and isinstance(word.value, ast.Name) and word.value.id == name
            for word in call.keywords
        )
        for call in calls
    )
    return forwarded and uses == 1


def _parameters(target: Callable) -> tuple[list[str], list[str], str | None]:
    """A signature's names, its required names, and the name of its ``**kwargs``."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(target).parameters.values()
    names = [p for p in parameters if p.kind in named]
    rest = [p.name for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD]
    required = [p.name for p in names if p.default is inspect.Parameter.empty]
    return [p.name for p in names], required, rest[0] if rest else None


@cache
def keywords(target: Callable) -> Keywords:
    """The keywords of a function or class, including its bases' if it forwards ``**kwargs``.

    Args:
        target (Callable): A class or a function.

    Returns:
        Keywords: The keywords. ``closed`` is False if it cannot be determined.
    """
    if not inspect.isclass(target):
        try:
            own, needed, rest = _parameters(target)
        except (TypeError, ValueError):
            return Keywords((), (), closed=False)
        return Keywords(tuple(own), tuple(needed), closed=rest is None)
    former = getattr(target, 'former_arguments', {})  # mmrel.utils.renamed
    names: dict[str, None] = dict.fromkeys(former)
    required: list[str] | None = None
    for base in target.__mro__:
        init = base.__dict__.get('__init__')
        if base in (object, nn.Module):
            return Keywords(tuple(names), tuple(required or ()), closed=True)
        if init is None:
            continue
        try:
            own, needed, rest = _parameters(init)
        except (TypeError, ValueError):
            break
        names.update(dict.fromkeys(own[1:]))
        # A subclass may itself pass what its base requires.
        required = needed[1:] if required is None else required
        required = [name for name in required if name not in former.values()]
        if rest is None:
            return Keywords(tuple(names), tuple(required), closed=True)
        if not _only_forwards(init, rest):
            break
    return Keywords(tuple(names), tuple(required or ()), closed=False)
