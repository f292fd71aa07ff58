"""Convert the values of ``--cfg-options KEY=VALUE``."""

import ast
import os
import warnings
from typing import Any

_WORDS = {'true': True, 'false': False}
_PAIRS = {'[': ']', '(': ')', '{': '}'}


class TypedText(str):
    """The text after ``KEY=`` on a command line, unchanged.

    It is converted when the config is known (:func:`option_value`), because the
    meaning of ``a,b`` depends on the key's current value. As a str it can be
    passed unchanged to the command line of another process.
    """


class _DictCalls(ast.NodeTransformer):
    """Replace ``dict(a=1)``, as written in configs, by ``{'a': 1}``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        named = isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args
        if not named or any(word.arg is None for word in node.keywords):
            return node
        keys: list[ast.expr | None] = [ast.Constant(word.arg) for word in node.keywords]
        return ast.Dict(keys, [word.value for word in node.keywords])


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple | set):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _literal(text: str) -> tuple[bool, Any]:
    """Whether a string is a Python literal, and its value. ``1,2`` is a list."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of escapes such as '\d'
            tree = ast.parse(f'[{text}]', mode='eval')
            if not isinstance(tree.body, ast.List):
                return False, None
            values = ast.literal_eval(ast.fix_missing_locations(_DictCalls().visit(tree)))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False, None
    if not values or not _is_plain(values):
        return False, None
    if len(values) == 1 and not text.rstrip().endswith(','):
        return True, values[0]
    return True, values


def _split(text: str) -> list[str] | None:
    """Split at commas outside quotes and brackets. None if those are unbalanced."""
    parts, open_pairs, quote, start = [], [], '', 0
    for i, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in '\'"' and not text[start:i].strip():
            quote = char  # in the middle of a word it is an apostrophe
        elif char in _PAIRS:
            open_pairs.append(_PAIRS[char])
        elif char in _PAIRS.values():
            if not open_pairs or open_pairs.pop() != char:
                return None
        elif char == ',' and not open_pairs:
            parts.append(text[start:i])
            start = i + 1
    if quote or open_pairs:
        return None
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _bare(text: str) -> Any:
    """The value of an unquoted list element: a literal, a number, a list or a string."""
    found, value = _literal(text)
    if found:
        return value
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    number = _number(text)
    if number is not None:
        return number
    for left in '[(':
        inside = text[1:-1] if text[:1] == left and text[-1:] == _PAIRS[left] else None
        parts = None if inside is None else _split(inside)
        if parts is not None:
            return (list if left == '[' else tuple)(map(_bare, parts))
    return text


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _home(text: str) -> str:
    return os.path.expanduser(text) if text.startswith('~/') else text


def option_value(text: str, present: Any = None) -> Any:
    """Convert the text of an option to its value.

    - A Python literal is that value: ``3``, ``1e-3``, ``None``, ``[1, 2]``,
      ``'a text'``, ``[dict(type='A')]``; so are ``true`` and ``false``.
    - Several literals with commas are a list: ``1,2,3``.
    - ``[a, b]`` is a list of strings, and so is ``a,b`` if the key holds a list.
    - Everything else is a string, exactly as typed; a leading ``~/`` is the home folder.
    - If the key holds a string, everything is a string except None, a boolean and
      a quoted string.

    Args:
        text (str): The text after ``KEY=``.
        present (Any): The key's current value. Defaults to None.

    Returns:
        Any: The value.

    Example:
        >>> option_value('/x/my images, [new]/train')
        '/x/my images, [new]/train'
        >>> option_value('1,2'), option_value('a,b'), option_value('a,b', present=['c'])
        ([1, 2], 'a,b', ['a', 'b'])
        >>> option_value('123'), option_value('123', present='data')
        (123, '123')
    """
    found, value = _literal(text)
    if isinstance(present, str):
        if found and (value is None or isinstance(value, bool | str)):
            return value
        return _WORDS.get(text.lower(), _home(text))
    if found:
        return value
    if present is not None and text.lower() == 'none':
        return None
    if isinstance(present, list | tuple) and ',' in text and text[:1] not in _PAIRS:
        parts = _split(text)
        if parts is not None:
            return [_bare(part) for part in parts]
    value = _bare(text)
    return _home(text) if isinstance(value, str) else value
