"""Held-out images: decoded once if they fit in memory, scored as by a plain loop."""

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmrel.search.held_out import HeldOutImages, path_accuracy, path_score


class _Images(list):
    """Counts how often an image is decoded."""

    decoded = 0

    def __getitem__(self, row: int) -> tuple[Tensor, BaseDataElement]:
        self.decoded += 1
        draw = torch.Generator().manual_seed(row)
        image = torch.randint(0, 256, (3, 4, 4), generator=draw, dtype=torch.uint8)
        return image, BaseDataElement(gt_label=torch.tensor([row % 3]))


def _collate(samples: list) -> dict:
    images, labels = zip(*samples, strict=True)
    return dict(inputs=torch.stack(images), data_samples=list(labels))


class _Sides(nn.Module):
    """Two linear classifiers on the pixels; the path selects a pixel that counts twice."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.randn(2, 48, 3)

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        assert not training
        return dict(inputs=batch['inputs'].float() / 255 - 0.5)

    def path_logits(self, inputs: Tensor, path: dict) -> Tensor:
        assert torch.is_inference_mode_enabled()
        self.autocast = torch.is_autocast_enabled('cpu')
        x = inputs.flatten(1).clone()
        x[:, path['pixel']] *= 2
        return torch.einsum('bp,spc->sbc', x, self.weights)


def _setup(**settings: object) -> tuple[_Images, HeldOutImages]:
    images = _Images(range(20))
    loader = DataLoader(images, batch_size=8, collate_fn=_collate)
    return images, HeldOutImages(loader, **settings)


def test_the_score_is_the_mean_of_the_sides_accuracies() -> None:
    images, held_out = _setup()
    model = _Sides()
    for pixel in (0, 7):
        right, losses = [0, 0], []
        for row in range(20):
            image, sample = images[row]
            x = (image.double() / 255 - 0.5).flatten()
            x[pixel] *= 2
            for side in range(2):
                logits = x @ model.weights[side].double()
                right[side] += int(logits.argmax() == sample.gt_label)
                losses.append(-logits.log_softmax(0)[sample.gt_label].item())
        expected = sum(100 * n / 20 for n in right) / 2
        assert path_accuracy(model, dict(pixel=pixel), held_out) == pytest.approx(expected)
        found = path_score(model, dict(pixel=pixel), held_out)
        assert found == pytest.approx((expected, sum(losses) / 40), rel=1e-5)
    beats = []
    path_accuracy(model, dict(pixel=0), held_out, True, lambda: beats.append(1))
    assert model.autocast
    assert len(beats) == 3


@pytest.mark.parametrize(
    ('settings', 'decoded'),
    [
        (dict(), 20),
        (dict(cache=True, limit_mb=0), 20),
        (dict(cache=False), 60),
        (dict(limit_mb=0.0005), 60),  # the 960 bytes do not fit
        (dict(limit_mb=0.001), 20),
    ],
)
def test_images_are_decoded_once_where_they_fit(settings: dict, decoded: int) -> None:
    images, held_out = _setup(**settings)
    passes = [[(x.clone(), y.clone()) for x, y in held_out] for _ in range(3)]
    assert images.decoded == decoded
    for other in passes[1:]:
        for (x, y), (x0, y0) in zip(other, passes[0], strict=True):
            assert torch.equal(x, x0)
            assert torch.equal(y, y0)


def test_a_pass_that_broke_off_is_not_taken_for_whole() -> None:
    _, held_out = _setup()
    next(iter(held_out))
    assert sum(len(y) for _, y in held_out) == 20


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="cache_images='yes'"):
        _setup(cache='yes')
    with pytest.raises(ValueError, match='no image'):
        HeldOutImages(DataLoader(_Images()))
    loader = DataLoader(_Images(range(2)), collate_fn=lambda s: dict(
        inputs=torch.zeros(1, 3, 4, 4), data_samples=[BaseDataElement()]
    ))  # fmt: skip
    with pytest.raises(ValueError, match='no labels'):
        list(HeldOutImages(loader))
