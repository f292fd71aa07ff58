"""The code that loads a published file, run as Python."""

import pytest

from mmrel.utils.publish_snippets import snippet

PATH = "it's a file.pth"
NETWORK = dict(
    backbone=dict(type='mmpretrain.ResNet', depth=18, out_indices=(3,)), mean=[1.0], std=[2.0]
)
INIT = dict(type='mmrel.Pretrained', checkpoint=PATH, prefix='backbone.')


def _run(target: str, network: dict) -> dict:
    names: dict = {}
    exec(snippet(PATH, target, network, {}), names)
    assert names['custom_imports'] == dict(imports=['mmrel'], allow_failed_imports=False)
    return names


@pytest.mark.parametrize('target', ['mmseg', 'mmdet'])
def test_a_decoder_gets_all_maps_and_statistics_in_the_order_of_opencv(target: str) -> None:
    model = _run(target, NETWORK)['model']
    expected = dict(
        data_preprocessor=dict(mean=[1.0], std=[2.0], bgr_to_rgb=True),
        backbone=dict(
            _delete_=True, type='mmrel.ResNet', depth=18, out_indices=(0, 1, 2, 3), init_cfg=INIT
        ),
    )
    assert model == (dict(expected, pretrained=None) if target == 'mmseg' else expected)
    three = dict(NETWORK, backbone=dict(type='ResNet', num_stages=3))
    assert _run(target, three)['model']['backbone']['out_indices'] == (0, 1, 2)


@pytest.mark.parametrize('target', ['mmpretrain', 'mmrel'])
def test_a_classifier_keeps_the_settings_of_the_backbone(target: str) -> None:
    names = _run(target, NETWORK)
    assert names['data_preprocessor'] == dict(mean=[1.0], std=[2.0], to_rgb=True)
    assert names['model'] == dict(
        backbone=dict(type='mmrel.ResNet', depth=18, out_indices=(3,), init_cfg=INIT)
    )


def test_what_the_record_lacks_is_left_to_the_reader() -> None:
    names = _run('mmseg', {})
    assert names['model']['backbone'] == dict(_delete_=True, type='...', init_cfg=INIT)
    assert 'data_preprocessor' not in names['model']
    text = snippet(PATH, 'mmseg', dict(backbone=dict(type='SearchedViT', out_type='featmap')), {})
    assert '# out_indices=...: the stages or blocks that your decoder uses\n' in text
    assert 'out_type' not in text


def test_a_file_of_safetensors_is_read_by_its_own_package() -> None:
    assert snippet('a.safetensors', 'safetensors', {}, {}) == (
        'from safetensors.torch import load_file\n'
        "state = load_file('a.safetensors')  # keys begin with 'backbone.'\n"
    )
