"""What a checkpoint says of its run: checked, and nothing of it is run."""

import copy

import pytest

from mmrel.utils.checkpoint_content import clean_content, file_name
from mmrel.utils.pickle_entries import DamagedContent

CODE = 'import os'
SOUND = dict(
    meta=dict(epoch=3, iter=30, seed=0, experiment_name='x', dataset_meta=dict(classes=('a',))),
    message_hub=dict(
        log_scalars={}, resumed_keys={},
        runtime_info=dict(epoch=3, max_iters=40, loop_stage='train', keep_ckpt_ids=[1, 2]),
    ),
    optimizer={}, param_schedulers=[], state_dict={},
)  # fmt: skip


def test_what_mmengine_would_run_is_dropped_and_the_rest_stays() -> None:
    content = copy.deepcopy(SOUND)
    clean_content(content)
    assert content == SOUND
    content['meta']['config'] = CODE
    content['message_hub']['runtime_info'] |= dict(cfg=CODE, experiment_name='../..')
    content['message_hub']['resumed_keys'] |= dict(cfg=True, experiment_name=True)
    clean_content(content)
    assert content == SOUND


def test_files_are_looked_for_in_the_runs_own_folder() -> None:
    content = copy.deepcopy(SOUND)
    content['message_hub']['runtime_info'] |= dict(
        best_ckpt='/home/a/best_1.pth', best_ckpt_top1='..', last_ckpt=None, best_checks='/a/b',
    )  # fmt: skip
    clean_content(content)
    info = content['message_hub']['runtime_info']
    names = [info[key] for key in ('best_ckpt', 'best_ckpt_top1', 'last_ckpt', 'best_checks')]
    assert names == ['best_1.pth', None, None, '/a/b']


@pytest.mark.parametrize(
    ('path', 'name'),
    [
        ('a/b.pth', 'b.pth'), ('C:\\runs\\b.pth', 'b.pth'), ('b.pth', 'b.pth'), ('a/b/', None),
        ('a/..', None), ('.', None), ('', None), (None, None), ('a\nb', None), ('a\x00', None),
    ],
)  # fmt: skip
def test_a_file_name_has_no_folder(path: str | None, name: str | None) -> None:
    assert file_name(path) == name


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('meta', [1], 'meta=list must be a dict with strings as keys'),
        ('meta', {1: 2}, 'meta=dict must be a dict with strings as keys'),
        ('message_hub', 3, 'message_hub=3 must be a dict'),
        ('optimizer', [], 'optimizer=list must be a dict'),
        ('param_schedulers', 'x', "param_schedulers='x' must be a list or a dict"),
        ('meta.epoch', CODE, f"meta.epoch='{CODE}' must be a non-negative integer"),
        ('meta.epoch', True, 'meta.epoch=True must be a non-negative integer'),
        ('meta.iter', -1, 'meta.iter=-1 must be a non-negative integer'),
        ('meta.iter', 2**63, f'meta.iter={2**63} must be a non-negative integer'),
        ('meta.seed', 2**32, f'meta.seed={2**32} must be an integer from 0 to 2\\*\\*32 - 1'),
        ('meta.cfg', b'x', 'meta.cfg=bytes must be a string'),
        ('meta.cfg', ['x'], 'meta.cfg=list must be a string'),
        ('meta.network', 'x', "meta.network='x' must be a dict with strings as keys"),
        ('meta.time', 1.5, 'meta.time=1.5 must be a string'),
        ('meta.hook_msgs', 'x' * 99, r"meta.hook_msgs='x{56}\.\.\. must be a dict"),
        ('message_hub.log_scalars', [], 'message_hub.log_scalars=list must be a dict'),
        ('message_hub.runtime_info.loop_stage', 'x', "loop_stage='x' must be 'train', 'val' or"),
        ('message_hub.runtime_info.keep_ckpt_ids', ['../x'], 'keep_ckpt_ids=list must be a list'),
        ('message_hub.runtime_info.best_ckpt_x', 3, 'best_ckpt_x=3 must be a string or None'),
    ],
)
def test_an_entry_of_another_kind_is_named(key: str, value: object, message: str) -> None:
    content = copy.deepcopy(SOUND)
    *folders, last = key.split('.')
    place = content
    for folder in folders:
        place = place[folder]
    place[last] = value
    with pytest.raises(DamagedContent, match=message):
        clean_content(content)


def test_a_checkpoint_without_metadata_is_sound() -> None:
    content = dict(meta=None, state_dict={})
    clean_content(content)
    assert content == dict(state_dict={})
