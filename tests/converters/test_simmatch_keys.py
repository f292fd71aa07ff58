"""Keys of the authors' SimMatch files and ours, by hand."""

import pytest

from mmrel.converters import convert_key


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('main.fc.weight', 'classifier.weight'),
        ('main.backbone.conv1.weight', 'backbone.conv1.weight'),
        ('ema.head.2.bias', 'teacher.neck.mlp.2.bias'),
        ('bank', 'memory.bank'),
        ('labels', 'memory.labels'),
        ('DA_queue', 'alignment.queue'),
        ('DA_ptr', 'alignment.pointer'),
    ],
)
def test_keys_by_hand(theirs: str, ours: str) -> None:
    assert convert_key('simmatch', theirs) == ours
