"""The training set without wrappers and augmentation, every image once."""

import pytest
from mmengine.config import Config

from mmrel.engine.plain_loader import (
    fixed_batches,
    fixed_loader,
    inner_dataset,
    plain_loader_config,
    read_with,
)
from tests.engine.number_set import loader, numbers


def test_the_training_set_is_read_inside_its_wrappers() -> None:
    inner = dict(type='ImageFolder', data_root='a', pipeline=[dict(type='LoadImage')], indices=7)
    cfg = Config(
        dict(
            train_dataloader=dict(
                batch_size=4,
                dataset=dict(type='KNNMultiCropDataset', dataset=inner, crop_pipeline=[]),
            )
        )
    )
    like = dict(batch_size=9, dataset=dict(type='Other', pipeline=['plain']), num_workers=3)
    plain = plain_loader_config(cfg, like, dict(batch_size=5))
    assert plain['dataset'] == dict(inner, pipeline=['plain'], test_mode=True)
    assert (plain['batch_size'], plain['num_workers']) == (5, 3)
    assert plain['sampler'] == dict(type='DefaultSampler', shuffle=False, round_up=False)
    assert cfg.train_dataloader.dataset.dataset.pipeline == [dict(type='LoadImage')]


def test_all_parts_of_a_set_are_read_and_of_two_sets_the_labeled_one() -> None:
    def part(root: str) -> dict:
        return dict(type='ImageFolder', data_root=root, pipeline=['augmented'])

    both = dict(type='ConcatDataset', datasets=[dict(type='Wrapper', dataset=part('a')), part('b')])
    outer = dict(type='Wrapper', dataset=both)
    plain = read_with(outer, pipeline=['plain'])
    expected = [dict(part(root), pipeline=['plain']) for root in ('a', 'b')]
    assert plain == dict(type='ConcatDataset', datasets=expected)
    assert both['datasets'][0]['dataset'] == part('a')  # the run's config is as it was
    semi = dict(type='SemiSupervisedDataset', labeled=part('a'), unlabeled=part('b'))
    assert inner_dataset(semi) is semi['labeled']


@pytest.mark.usefixtures('mmrel_scope')
def test_one_random_order_has_every_image_once() -> None:
    cfg = Config(dict(train_dataloader=loader(11, 2, 'augmented', drop_last=True)))
    like = loader(50, 4, 'plain', drop_last=True)
    batches = list(fixed_loader(cfg, like, {}, seed=3))
    assert [len(part) for part in numbers(batches)] == [4, 4, 3]
    order = [number for part in numbers(batches) for number in part]
    assert sorted(order) == list(range(11)) != order
    assert {name for batch in batches for name in batch['pipeline']} == {'plain'}
    # Each pass and each loader has this order; the first batches are a part of it.
    assert numbers(fixed_batches(cfg, like, 2, seed=3)) == [order[:4], order[4:8]]
    assert numbers(fixed_batches(cfg, like, 9, batch_size=6, seed=3)) == [order[:6], order[6:]]
    assert numbers(fixed_batches(cfg, like, 3, seed=4)) != numbers(batches)
