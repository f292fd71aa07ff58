"""Which keywords a class or function accepts."""

import pytest
from mmengine.model import BaseModule

from mmrel.registry import MODELS
from mmrel.utils.signatures import keywords


class _Base:
    def __init__(self, a: int, b: int = 1) -> None: ...


class _Forwards(_Base):
    def __init__(self, c: int, **kwargs: int) -> None:
        super().__init__(1, **kwargs)


class _Uses(_Base):
    def __init__(self, c: int, **kwargs: int) -> None:
        super().__init__(**kwargs)
        self.rest = kwargs


class _Elsewhere(BaseModule):
    def __init__(self, c: int = 0, **kwargs: int) -> None:
        super().__init__()
        self.rest = dict(**kwargs)


class _Inherits(_Forwards):
    pass


def test_the_keywords_of_a_class_are_its_bases_too() -> None:
    for target in (_Forwards, _Inherits):
        found = keywords(target)
        assert (found.names, found.required, found.closed) == (('c', 'a', 'b'), ('c',), True)
    assert not keywords(_Uses).closed
    assert not keywords(_Elsewhere).closed
    assert not keywords(lambda **kwargs: kwargs).closed
    assert keywords(lambda a, *, b=1: a).names == ('a', 'b')


@pytest.mark.parametrize('name', ['ResNet', 'ResNet_CIFAR', 'LinearClsHead', 'CrossEntropyLoss'])
def test_the_keywords_of_mmpretrains_classes_are_known(name: str) -> None:
    assert keywords(MODELS.get(name)).closed
