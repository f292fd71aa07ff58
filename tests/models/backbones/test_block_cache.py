"""Blocks are shared by place and arguments, only while a cache is in use."""

from torch import nn

from mmrel.models.backbones import block_cache
from mmrel.models.backbones.block_cache import BlockCache, build_block


def test_equal_blocks_of_a_place_are_shared() -> None:
    cache = BlockCache()
    with cache.use():
        first = build_block('a', nn.Linear, 2, 3, bias=False)
        assert build_block('a', nn.Linear, 2, 3, bias=False) is first
        others = [
            build_block('b', nn.Linear, 2, 3, bias=False),
            build_block('a', nn.Linear, 3, 2, bias=False),
            build_block('a', nn.Linear, 2, 3, bias=True),
            build_block('a', nn.Bilinear, 2, 3, 1),
        ]
    assert len({id(block) for block in (first, *others)}) == 5
    # Without the cache, every block is new; another cache does not have it.
    assert build_block('a', nn.Linear, 2, 3, bias=False) is not first
    with BlockCache().use():
        assert build_block('a', nn.Linear, 2, 3, bias=False) is not first


def test_the_blocks_used_last_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(block_cache, '_LIMIT', 2)
    with BlockCache().use():
        a, b = (build_block(place, nn.Linear, 1, 1) for place in 'ab')
        assert build_block('a', nn.Linear, 1, 1) is a
        build_block('c', nn.Linear, 1, 1)  # in place of b
        assert build_block('a', nn.Linear, 1, 1) is a
        assert build_block('b', nn.Linear, 1, 1) is not b
