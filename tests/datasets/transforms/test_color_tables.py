"""The tables are Pillow's conversions."""

import colorsys

import numpy as np
from PIL import Image

from mmrel.datasets.transforms import color_tables as tables


def _convert(pixels: np.ndarray, source: str, target: str) -> np.ndarray:
    return np.asarray(Image.frombytes(source, (len(pixels), 1), pixels.tobytes()).convert(target))[
        0
    ]


def test_hue_and_saturation_are_pillows_for_every_pair_of_chroma_and_middle() -> None:
    value = 255
    middle, least = (x.ravel() for x in np.meshgrid(np.arange(256), np.arange(256)))
    middle, least = middle[middle >= least], least[middle >= least]
    channels = np.stack([np.full_like(middle, value), middle, least], -1).astype(np.uint8)
    # Positions of the largest, middle and smallest channel.
    for case, order in enumerate(
        [(0, 1, 2), (0, 2, 1), (1, 2, 0), (1, 0, 2), (2, 1, 0), (2, 0, 1)]
    ):
        rgb = channels[:, np.argsort(order)]
        hsv = _convert(rgb, 'RGB', 'HSV')
        index = case * 65536 + (value - middle) * 256 + value - least
        unequal = (middle < value) & (middle > least)  # else another case may come first
        np.testing.assert_array_equal(tables.hue_table()[index][unequal], hsv[unequal, 0])
    for shown in range(1, 256):
        least = np.arange(shown + 1)
        rgb = np.stack([np.full_like(least, shown), least, least], -1).astype(np.uint8)
        found = tables.saturation_table()[(shown - least) * 256 + shown]
        np.testing.assert_array_equal(found, _convert(rgb, 'RGB', 'HSV')[:, 1])


def test_the_way_back_is_pillows_for_every_hue_and_saturation() -> None:
    hue, saturation = (x.ravel() for x in np.meshgrid(np.arange(256), np.arange(256)))
    for value in (0, 1, 77, 128, 254, 255):
        hsv = np.stack([hue, saturation, np.full_like(hue, value)], -1).astype(np.uint8)
        expected = _convert(hsv, 'HSV', 'RGB')
        fraction = tables.middle_table()[hue * 256 + saturation]
        middle = (value * fraction.astype(np.int64) + tables.HALF) >> tables.BITS
        lowest = tables.lowest_table()[value * 256 + saturation].astype(int)
        place = tables.places_table()[hue][:, None] >> 2 * np.arange(3)
        found = np.where(place & 1, value, np.where(place & 2, middle[:, None], lowest[:, None]))
        np.testing.assert_array_equal(found, expected)


def test_hues_are_those_of_colorsys_up_to_a_step() -> None:
    for red, green, blue in [(200, 30, 60), (10, 220, 90), (40, 60, 240)]:
        value, middle, least = sorted((red, green, blue), reverse=True)
        case = dict(r=0 if least == blue else 1, g=2 if least == red else 3, b=4 + (least == green))
        largest = 'rgb'[(red, green, blue).index(value)]
        found = tables.hue_table()[case[largest] * 65536 + (value - middle) * 256 + value - least]
        assert abs(found / 255 - colorsys.rgb_to_hsv(red, green, blue)[0]) <= 1 / 255
