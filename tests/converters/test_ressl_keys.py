"""Keys of the authors' ReSSL files and ours, by hand."""

import pytest

from mmrel.converters import convert_key


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('encoder_q.net.layer1.0.bn1.bias', 'backbone.layer1.0.bn1.bias'),
        ('encoder_q.head.linear1.bias', 'neck.mlp.0.bias'),
        ('encoder_k.net.conv1.weight', 'teacher.backbone.conv1.weight'),
        ('encoder_k.head.linear2.weight', 'teacher.neck.mlp.2.weight'),
        ('queue_ptr', 'memory.pointer'),
        ('queue', 'memory.queue'),
    ],
)
def test_keys_by_hand(theirs: str, ours: str) -> None:
    assert convert_key('ressl', theirs) == ours
