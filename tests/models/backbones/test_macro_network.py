"""Networks of NAS-Bench-Macro, against the table's description written out in torch."""

import pytest
import torch
from torch import Tensor, nn

from mmrel.models.backbones import SearchedMacroNetwork

SMALL = dict(channels=(6, 10), layers=(2, 1), stem_channels=4, last_channels=12)


class _Reference(nn.Module):
    """A layer as spec'd: digit 0, 1 or 2."""

    def __init__(self, digit: int, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.body: nn.Module
        if digit == 0:
            shrink = nn.Conv2d(before, width, 1, stride, bias=False)
            self.body = (
                nn.Sequential(shrink, nn.BatchNorm2d(width)) if stride > 1 else nn.Identity()
            )
            self.residual = False
            return
        hidden, k = before * (3, 6)[digit - 1], (3, 5)[digit - 1]
        self.residual = stride == 1
        self.body = nn.Sequential(
            nn.Conv2d(before, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, hidden, k, stride, k // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if self.residual else self.body(x)


@pytest.mark.parametrize('digits', [(0, 0, 0), (1, 2, 1), (2, 0, 2), (2, 1, 0)])
def test_the_network_is_the_table_s(digits: tuple[int, ...], mmrel_scope: None) -> None:
    torch.manual_seed(0)
    names = ('skip', 'mb3_k3', 'mb6_k5')
    network = SearchedMacroNetwork([names[d] for d in digits], **SMALL, out_indices=(0, 1, 2))
    a, b, c = digits
    reference = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        _Reference(a, 4, 6, 2), _Reference(b, 6, 6, 1), _Reference(c, 6, 10, 2),
        nn.Conv2d(10, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
    )  # fmt: skip
    theirs, ours = list(reference.state_dict().values()), list(network.state_dict().values())
    assert [t.shape for t in ours] == [t.shape for t in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        mine.copy_(other)
    x = torch.randn(3, 3, 9, 9)
    outputs = network(x)
    assert [tuple(out.shape[1:]) for out in outputs] == [(6, 5, 5), (10, 3, 3), (12, 3, 3)]
    torch.testing.assert_close(outputs[-1], reference(x))


@pytest.mark.parametrize('blocks', [['skip', 'mb3_k3'], ['skip', 'mb3_k3', 'mb9_k9']])
def test_blocks_that_do_not_fit_are_refused(blocks: list[str]) -> None:
    with pytest.raises(ValueError, match=r'backbone\.blocks=.* must have 3 entries'):
        SearchedMacroNetwork(blocks, **SMALL)
