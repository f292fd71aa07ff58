"""Images that are decoded once; crops and flips that follow (seed, epoch, index)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets import CachedImageFolder, ImageFolder, SampleIndex

PIPELINE = [dict(type='LoadImage'), dict(type='CentralView', size=16), dict(type='PackInputs')]


def _folder(root: Path, **settings: object) -> CachedImageFolder:
    return CachedImageFolder(data_root=str(root), pipeline=PIPELINE, **settings)


@pytest.mark.usefixtures('mmrel_scope')
def test_in_test_mode_the_images_are_the_pipelines(images: Path) -> None:
    cached = _folder(images, padding=2, flip_prob=1.0, test_mode=True)
    plain = ImageFolder(data_root=str(images), pipeline=PIPELINE, test_mode=True)
    for i in (0, 20, 47):
        one, other = cached[i], plain[i]
        assert torch.equal(one['inputs'], other['inputs'])
        assert one['data_samples'].gt_label == other['data_samples'].gt_label
    assert len(cached) == len(plain) == 48


@pytest.mark.usefixtures('mmrel_scope')
def test_a_view_is_a_crop_of_the_padded_image_and_follows_its_index(images: Path) -> None:
    cached = _folder(images, padding=2, flip_prob=0.5)
    image = _folder(images, test_mode=True)[5]['inputs'].numpy()
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode='reflect')
    possible = {
        view[..., ::step].tobytes(): (top, left, step)
        for top in range(5)
        for left in range(5)
        for step in (1, -1)
        for view in [padded[:, top : top + 16, left : left + 16]]
    }
    seen = set()
    for epoch in range(60):
        view = cached[SampleIndex(5, 0, epoch)]['inputs']
        seen.add(possible[view.numpy().tobytes()])
        assert torch.equal(view, cached[SampleIndex(5, 0, epoch)]['inputs'])
    assert len(seen) > 25
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(5))
    assert {step for _, _, step in seen} == {1, -1}
    fresh = _folder(images, padding=2, flip_prob=0.5)  # what was read before does not matter
    index = SampleIndex(5, 0, 7)
    assert torch.equal(fresh[index]['inputs'], cached[index]['inputs'])
    assert any(
        not torch.equal(
            cached[SampleIndex(5, 1, e)]['inputs'], cached[SampleIndex(5, 0, e)]['inputs']
        )
        for e in range(5)
    )


@pytest.mark.usefixtures('mmrel_scope')
def test_an_image_is_read_once(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached, read = _folder(images, padding=1), []
    pipeline = cached.pipeline
    monkeypatch.setattr(cached, 'pipeline', lambda info: read.append(info) or pipeline(info))
    for epoch in range(3):
        for i in (3, 4):
            cached[SampleIndex(i, 0, epoch)]
    assert len(read) == 2


@pytest.mark.usefixtures('mmrel_scope')
def test_wrong_settings_and_sizes_are_refused(tmp_path: Path) -> None:
    for size in ((8, 8), (8, 9)):
        (tmp_path / 'a').mkdir(exist_ok=True)
        Image.new('RGB', size).save(tmp_path / 'a' / f'{size[1]}.png')
    whole = CachedImageFolder(data_root=str(tmp_path), pipeline=[PIPELINE[0], PIPELINE[2]])
    whole[0]
    with pytest.raises(ValueError, match=r"'CentralView', size=\.\.\.\) before PackInputs"):
        whole[1]
    with pytest.raises(ValueError, match=r'dataset\.padding=-1 must not be negative'):
        _folder(tmp_path, padding=-1)
    with pytest.raises(ValueError, match=r'dataset\.flip_prob=2 is outside \[0, 1\]'):
        _folder(tmp_path, flip_prob=2)


@pytest.mark.usefixtures('mmrel_scope')
def test_inside_another_dataset_the_draws_follow_its_index(images: Path) -> None:
    cached = _folder(images, padding=3, flip_prob=0.5)
    index = SampleIndex(50, 0, 7)  # row 2 of a set behind one with 48 images
    views = [cached.samples([2], [index])[0]['inputs'] for _ in range(5)]
    assert all(torch.equal(view, views[0]) for view in views)
    others = [cached.samples([2], [SampleIndex(50, 0, e)])[0]['inputs'] for e in range(5)]
    assert not all(torch.equal(view, views[0]) for view in others)


@pytest.mark.usefixtures('mmrel_scope')
def test_a_changed_sample_leaves_the_images(images: Path) -> None:
    cached = _folder(images, test_mode=True)
    before = cached[4]['inputs'].clone()
    cached[4]['inputs'].zero_()
    assert torch.equal(cached[4]['inputs'], before)
    assert before.untyped_storage().nbytes() == cached[4]['inputs'].untyped_storage().nbytes()


@pytest.mark.usefixtures('mmrel_scope')
def test_another_pipeline_makes_the_images_anew(images: Path) -> None:
    cached = _folder(images, test_mode=True)
    assert cached[4]['inputs'].shape == (3, 16, 16)
    steps = [PIPELINE[0], dict(type='CentralView', size=12), PIPELINE[2]]
    cached.pipeline = CachedImageFolder(data_root=str(images), pipeline=steps).pipeline
    assert cached[4]['inputs'].shape == (3, 12, 12)
