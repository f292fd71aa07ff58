import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets.transforms import CutoutView, PaddedCropView, RandAugmentView


def _image(height: int = 32, width: int = 32) -> Image.Image:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(rgb)


def _view(transform, img: Image.Image) -> np.ndarray:
    return np.asarray(transform.transform(dict(img=img))['img'])


def test_a_padded_crop_is_a_shift_of_the_reflected_image() -> None:
    img = _image()
    padded = np.pad(np.asarray(img), ((4, 4), (4, 4), (0, 0)), mode='reflect')
    windows = {padded[y : y + 32, x : x + 32].tobytes(): (y, x) for y in range(9) for x in range(9)}
    view = PaddedCropView(size=32, padding=4, flip_prob=0)
    found = {windows[_view(view, img).tobytes()] for _ in range(300)}
    assert {min(y for y, _ in found), min(x for _, x in found)} == {0}
    assert {max(y for y, _ in found), max(x for _, x in found)} == {8}
    always = PaddedCropView(size=32, padding=0, flip_prob=1)
    np.testing.assert_array_equal(_view(always, img), np.asarray(img)[:, ::-1])


def test_a_padded_crop_of_a_larger_image_is_of_its_centre() -> None:
    colors = np.zeros((64, 128, 3), np.uint8)
    colors[:, 32:96] = 200
    out = _view(PaddedCropView(size=32, padding=0, flip_prob=0), Image.fromarray(colors))
    assert out.shape == (32, 32, 3)
    assert (out[:, 1:-1] == 200).all()


def test_rand_augment_draws_so_many_operations_of_the_strength() -> None:
    view = RandAugmentView(num_ops=3, magnitude=10, levels=30)
    draws = [view.draw((32, 32)) for _ in range(100)]
    assert {len(drawn) for drawn in draws} == {3}
    # Of 30 levels 10 are a third of the strength, of either sign.
    strengths = {d.strength for drawn in draws for d in drawn if d.name == 'Rotate'}
    assert sorted(strengths) == pytest.approx([-10, 10])
    wide = {d.strength for _ in range(100) for d in view.draw((64, 32)) if d.name == 'TranslateX'}
    assert sorted(wide) == pytest.approx([-150 / 331 * 64 / 3, 150 / 331 * 64 / 3])


def test_rand_augment_with_a_drawn_strength_covers_all_up_to_its_own() -> None:
    view = RandAugmentView(magnitude=4, levels=10, random_magnitude=True)
    drawn = {abs(d.strength) for _ in range(600) for d in view.draw((32, 32)) if d.name == 'Rotate'}
    assert sorted(drawn) == pytest.approx([0, 3, 6, 9, 12])


def test_rand_augment_changes_views_and_follows_the_seed() -> None:
    view, img = RandAugmentView(magnitude=10, levels=10, random_magnitude=True), _image()
    outs = []
    for seed in (0, 0, 1, 2, 3):
        torch.manual_seed(seed)
        outs.append(_view(view, img))
    np.testing.assert_array_equal(outs[0], outs[1])
    assert len({out.tobytes() for out in outs}) >= 4
    np.testing.assert_array_equal(np.asarray(img), np.asarray(_image()))


def test_cutout_covers_one_square_around_a_centre_in_the_image() -> None:
    img, view = _image(20, 30), CutoutView(size=8, fill=(127, 128, 129))
    areas, covered = set(), np.zeros((20, 30), bool)
    for _ in range(300):
        out = _view(view, img)
        changed = (out == (127, 128, 129)).all(-1)
        rows, columns = np.where(changed.any(1))[0], np.where(changed.any(0))[0]
        box = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box.all()  # a full rectangle
        assert max(box.shape) <= 8
        assert min(box.shape) >= 4
        np.testing.assert_array_equal(out[~changed], np.asarray(img)[~changed])
        areas.add(box.shape)
        covered |= changed
    assert (8, 8) in areas
    assert covered.all()
    np.testing.assert_array_equal(np.asarray(img), np.asarray(_image(20, 30)))


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: PaddedCropView(size=0), 'size=0'),
        (
            lambda: PaddedCropView(size=8, padding=8),
            'padding=8 must be at least 0 and less than size=8',
        ),
        (lambda: PaddedCropView(size=8, flip_prob=2), 'flip_prob=2'),
        (lambda: RandAugmentView(num_ops=0), 'num_ops=0'),
        (lambda: RandAugmentView(magnitude=31), 'magnitude=31 must be between 0 and levels=30'),
        (lambda: CutoutView(size=0), r'CutoutView\.size=0'),
    ],
)
def test_config_errors(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
