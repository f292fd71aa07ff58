"""What a checkpoint says of its network, and what is believed of it."""

import pytest

from mmrel.utils.network_record import name_in_mmrel, network_record, read_record
from mmrel.utils.option_values import TypedText


def test_typed_values_are_recorded_as_plain_ones() -> None:
    backbone = dict(type='ResNet', norm_cfg=dict(type=TypedText('SyncBN')), strides=(1, 2))
    record = network_record(dict(model=dict(backbone=backbone)))['backbone']
    assert record == dict(type='ResNet', norm_cfg=dict(type='SyncBN'), strides=[1, 2])
    assert type(record['norm_cfg']['type']) is str


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type="ResNet'); import os; ('", depth=18),
        {'type': 'ResNet', 'depth=18)\nimport os\nx = (1': 18},
        [1],
    ],
)
def test_a_forged_record_is_not_printed(backbone: object) -> None:
    network = dict(method='ReSSL', backbone=backbone, mean=['1)\nimport os'], input_size='x')
    assert read_record(dict(network=network)) == dict(method='ReSSL')


def test_the_record_by_hand_comes_back() -> None:
    pipeline = [dict(type='LoadImage'), dict(type='CentralView', size=224)]
    cfg = dict(
        model=dict(
            type='ViTAS', space=dict(type='S'), backbone=dict(type='R', depth=18, init_cfg={}),
            data_preprocessor=dict(mean=(1.0, 2), std=[3]),
        ),
        data_preprocessor=dict(mean=[9], std=[9]),  # the model's comes first
        val_dataloader=dict(dataset=dict(pipeline=pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=[dict(type='CentralView', size=96)])),
    )  # fmt: skip
    record = network_record(cfg)
    assert record == dict(
        method='ViTAS', supernet=True, backbone=dict(type='R', depth=18), mean=[1.0, 2], std=[3],
        input_size=224, resize=224,
    )  # fmt: skip
    assert read_record(dict(network=record)) == record
    assert network_record({}) == dict(method=None, supernet=False)


@pytest.mark.parametrize('meta', [None, {}, dict(network=[1]), dict(network=dict(supernet=1))])
def test_without_a_sound_record_nothing_is_known(meta: dict | None) -> None:
    assert read_record(meta) == {}


def test_names_are_those_of_our_registry() -> None:
    names = [name_in_mmrel(kind) for kind in ('ResNet', 'mmpretrain.ResNet', 'mmrel.ResNet')]
    assert names == ['mmrel.ResNet'] * 3
