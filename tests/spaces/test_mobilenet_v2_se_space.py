"""The MobileNetV2-SE space: sizes, and costs against counted ones."""

import pytest
import torch

from mmrel.spaces import BlockSizes, MobileNetV2SESpace
from tests.spaces.kshot_spaces import SMALL, build, check_costs, network_of


@pytest.mark.parametrize('cfg', [SMALL, dict(SMALL, widths=(1.0,))])
def test_costs_are_those_of_the_built_networks(cfg: dict) -> None:
    check_costs(cfg)


def test_the_imagenet_space_is_the_table() -> None:
    space = MobileNetV2SESpace()
    sizes = [len(space.choices[f'layer{i}.op']) for i in range(21)]
    # The first layer of a stage changes the channels, so it cannot be the identity.
    assert sizes == [12 if i in (0, 4, 8, 12, 16, 20) else 13 for i in range(21)]
    assert len(space.choices) == 21
    assert len(MobileNetV2SESpace(widths=(0.2, 0.6, 1.0)).choices) == 42
    network = network_of(space, space.largest())
    assert network.backbone(torch.zeros(1, 3, 64, 64))[0].shape == (1, 1280, 2, 2)


def test_costs_of_a_block_by_hand() -> None:
    plain = BlockSizes(4, 6, 8, kernel_size=3, stride=2, squeeze_channels=0)
    # 4 x 8 weights at 5 x 5 places, then 9 and 6 for each of 8 channels at 3 x 3.
    assert plain.flops(5) == 32 * 25 + 8 * (9 + 6) * 9
    assert plain.parameters() == 32 + 72 + 48 + 2 * (8 + 8 + 6)
    squeezed = BlockSizes(4, 6, 8, kernel_size=3, stride=2, squeeze_channels=2)
    assert squeezed.flops(5) - plain.flops(5) == 2 * 8 * 2
    assert squeezed.parameters() - plain.parameters() == 2 * 8 * 2 + 2 + 8


def test_expanded_channels_are_rounded_to_the_divisor() -> None:
    space = build(dict(SMALL, divisor=8))  # the first layer has 4 channels
    channels = [space.hidden_channels(0, 6, share) for share in (1.0, 0.5, 0.2, 0.01)]
    # 24; 12 is as near to 8 as to 16; 4.8; never none.
    assert channels == [24, 16, 8, 8]


def test_what_makes_another_space_changes_the_fingerprint() -> None:
    changes = [
        {},
        dict(divisor=8),
        dict(last_channels=20),
        dict(strides=(1, 1, 2)),
        dict(widths=(1.0,)),
    ]
    assert len({build(dict(SMALL, **change)).fingerprint() for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(kernels=(3, 4)), r'space\.kernels=\[3, 4\] must be odd'),
        (
            dict(strides=(2, 2)),
            r'space\.channels=.* strides=\[2, 2\] must have one entry',
        ),
        (dict(divisor=0), r'space\.divisor=0 must be at least 1'),
    ],
)
def test_config_errors_name_the_key(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(dict(SMALL, **changes))
