"""Keys of the authors' WCL files and ours, by hand."""

import pytest

from mmrel.converters import convert_key


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('net.conv1.weight', 'backbone.conv1.weight'),
        ('head1.bn2.running_mean', 'neck.mlp.4.running_mean'),
        ('head1.linear2.weight', 'neck.mlp.3.weight'),
        ('head2.linear3.bias', 'graph_neck.mlp.6.bias'),
    ],
)
def test_keys_by_hand(theirs: str, ours: str) -> None:
    assert convert_key('wcl', theirs) == ours
