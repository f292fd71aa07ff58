import pytest
import torch
import torch.nn.functional as F

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


def test_the_shortcut_has_a_norm_only_on_request() -> None:
    cell = NASBench201Space().largest()
    new, old = (
        SearchedCellNetwork(cell, 4, 1, shortcut_norm=norm).eval() for norm in (False, True)
    )
    extra = set(old.state_dict()) - set(new.state_dict())
    assert {key.split('.')[2] for key in extra} == {'shortcut_norm'}
    x = torch.randn(1, 4, 6, 6)
    block = new.reductions[0]
    shortcut = F.conv2d(F.avg_pool2d(x, 2), block.shortcut.weight)
    torch.testing.assert_close(block(x), block.second(block.first(x)) + shortcut)
