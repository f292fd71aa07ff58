import pytest

from mmrel.models.backbones import SearchedCellNetwork
from mmrel.spaces import NASBench201Space


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(edge_0_1='conv5x5'), "edge_0_1='conv5x5' of the path must be one of"),
        (dict(edge_9_9='skip'), "has \\['edge_9_9'\\]"),
        (None, "lacks 'edge_0_1'"),
    ],
)
def test_a_cell_that_is_none_is_refused(change: dict | None, message: str) -> None:
    cell = {} if change is None else dict(NASBench201Space().largest(), **change)
    with pytest.raises(ValueError, match=f'backbone.cell is not a valid cell: .*{message}'):
        SearchedCellNetwork(cell)
