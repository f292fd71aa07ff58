"""Which function a NAS-Bench-201 cell computes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations, product

__all__ = ['EDGES', 'OPERATIONS', 'function_of']

# From each earlier node to each later one; node 0 is the cell's input, node 3 its output.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ('none', 'skip', 'conv1x1', 'conv3x3', 'avgpool3x3')
_NONE, _SKIP, _POOL = (OPERATIONS.index(name) for name in ('none', 'skip', 'avgpool3x3'))

# A node's value: how often it has each term. A term is a text.
_Sum = Counter[str]


def _text(value: _Sum) -> str:
    return '+'.join(f'{count}{term}' for term, count in sorted(value.items()))


def _values(cell: Sequence[int], names: dict[int, str]) -> list[_Sum]:
    """The values of the four nodes. Each convolution is called by its edge's name."""
    nodes: list[_Sum] = [Counter({'x': 1}), Counter(), Counter(), Counter()]
    for edge, ((source, target), operation) in enumerate(zip(EDGES, cell, strict=True)):
        value = nodes[source]
        if operation == _NONE or not value:  # an edge from a node without input
            continue
        if operation == _SKIP:
            nodes[target] += value
        elif operation == _POOL:  # linear, without weights
            nodes[target] += Counter({f'p{term}': count for term, count in value.items()})
        else:
            nodes[target][f'{names[edge]}({_text(value)})'] += 1
    return nodes


def _namings(cell: Sequence[int]) -> Iterator[dict[int, str]]:
    """All ways to number the convolutions of each kind."""
    kinds = [
        [edge for edge, operation in enumerate(cell) if operation == kind]
        for kind, name in enumerate(OPERATIONS)
        if name.startswith('conv')
    ]
    for orders in product(*(permutations(edges) for edges in kinds)):
        yield {
            edge: f'{"ab"[kind]}{number}'
            for kind, edges in enumerate(orders)
            for number, edge in enumerate(edges)
        }


def function_of(cell: Sequence[int]) -> str:
    """What a cell computes, in a form that does not depend on how its edges compute it.

    A cell's output is written as a sum of terms. A skip inserts its source's
    terms, a pool applies to each term (it is linear), and a convolution with
    its ReLU and BN stays one term, which can occur more than once. Convolutions of
    one kind are numbered so that the text is the smallest. Edges from nodes that the
    input does not reach, which could only add a constant (BN's shift), are left out.

    Args:
        cell (Sequence[int]): The places of the six edges' operations in
            ``OPERATIONS``.

    Returns:
        str: Equal for two cells if and only if they compute the same functions with the
        same weights, in some order. Empty if the output does not depend on the input.
    """
    return min(_text(_values(cell, names)[3]) for names in _namings(cell))
