"""Keys of the authors' files, and files that are none of theirs."""

import pytest
import torch

from mmrel.utils.official import METHODS, convert_checkpoint, convert_key


@pytest.mark.parametrize(
    ('method', 'theirs', 'ours'),
    [
        ('ressl', 'encoder_q.net.layer1.0.bn1.bias', 'backbone.layer1.0.bn1.bias'),
        ('ressl', 'encoder_k.head.linear2.weight', 'teacher.neck.mlp.2.weight'),
        ('ressl', 'queue_ptr', 'memory.pointer'),
        ('ressl', 'queue', 'memory.queue'),
        ('wcl', 'net.conv1.weight', 'backbone.conv1.weight'),
        ('wcl', 'head1.bn2.running_mean', 'neck.mlp.4.running_mean'),
        ('wcl', 'head2.linear3.bias', 'graph_neck.mlp.6.bias'),
        ('simmatch', 'main.fc.weight', 'classifier.weight'),
        ('simmatch', 'ema.head.2.bias', 'teacher.neck.mlp.2.bias'),
        ('simmatch', 'DA_ptr', 'alignment.pointer'),
        (
            'vitas',
            'net.backbone_Block_id_12.0.attn.qk3.weight',
            'backbone.blocks.12.attn.qk.3.weight',
        ),
        ('vitas', 'net.backbone_Block_Block_1.0.norm2.bias', 'backbone.blocks.1.norm2.bias'),
        ('vitas', 'net.backbone_init_stem_Patch_init_0.2.pos_embed', 'backbone.stems.2.pos_embed'),
        ('vitas', 'net.backbone_FC_FC_0.0.module.0.bias', 'head.fc.bias'),
    ],
)
def test_keys_by_hand(method: str, theirs: str, ours: str) -> None:
    assert convert_key(method, theirs) == convert_key(method, f'module.{theirs}') == ours


@pytest.mark.parametrize(
    ('method', 'key'),
    [
        ('ressl', 'encoder_q.head.linear3.bias'), ('ressl', 'queue_ptr2'), ('ressl', 'x.queue'),
        ('wcl', 'head3.linear1.bias'), ('simmatch', 'main.head.1.bias'), ('vitas', 'net.norm.bias'),
    ],
)  # fmt: skip
def test_other_keys_are_refused(method: str, key: str) -> None:
    with pytest.raises(KeyError, match=f"'module.{key}' is not a key of an official {method}"):
        convert_key(method, f'module.{key}')


def test_a_file_becomes_a_checkpoint_with_its_origin() -> None:
    weights = {'module.queue': torch.ones(2, 3), 'encoder_q.net.conv1.weight': torch.zeros(1)}
    found = convert_checkpoint('ressl', dict(model=weights, epoch=199, optimizer={}))
    assert found['meta'] == dict(converted_from='official ressl checkpoint', official_epoch=199)
    assert found['state_dict'] == {
        'memory.queue': weights['module.queue'],
        'backbone.conv1.weight': weights['encoder_q.net.conv1.weight'],
    }
    assert (
        'official_epoch' not in convert_checkpoint('ressl', dict(model=weights, epoch='9'))['meta']
    )


def test_a_searched_network_has_one_stem() -> None:
    key = 'module.net.backbone_init_stem_Patch_init_0.0.cls_token'
    found = convert_checkpoint('vitas', dict(model={key: torch.zeros(1)}))['state_dict']
    assert list(found) == ['backbone.stem.cls_token']


@pytest.mark.parametrize('method', METHODS)
def test_a_file_of_another_kind_is_refused(method: str) -> None:
    entry = 'state_dict' if method == 'simmatch' else 'model'
    with pytest.raises(KeyError, match=rf"has no '{entry}', only \['a', 'b'\]: give an official"):
        convert_checkpoint(method, dict(b=1, a=2))
    state = {f'x{i}': torch.zeros(1) for i in range(9)}
    with pytest.raises(
        KeyError, match=rf"9 keys do not belong to an official {method} file: \['x0'"
    ):
        convert_checkpoint(method, {entry: state})
    with pytest.raises(RuntimeError, match=f'the official {method} file is not a state dict'):
        convert_checkpoint(method, {entry: dict(x=3)})
    with pytest.raises(RuntimeError, match=f'the official {method} file has NaN or infinite'):
        convert_checkpoint(method, {entry: dict(x=torch.tensor(float('nan')))})
