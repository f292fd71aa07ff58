"""Options that change a config, and those that are refused."""

from functools import cache
from typing import Any

import pytest
from mmengine.config import Config

from mmrel.apis.config import merge_options
from mmrel.apis.options import apply_options
from mmrel.utils.option_values import TypedText
from tests.commands import ROOT, TINY

PHOTOS = ROOT / 'configs/ressl/ressl_resnet50_8xb32-coslr-200e_imagefolder.py'


@cache
def _read(path: str) -> Config:
    return Config.fromfile(path)


def _merged(*words: str, config: Any = TINY) -> Config:
    """The config after typed words `key=value`."""
    cfg = Config(_read(str(config))._cfg_dict.to_dict())
    merge_options(cfg, {k: TypedText(v) for k, v in (word.split('=', 1) for word in words)})
    return cfg


def test_values_follow_what_the_key_holds() -> None:
    cfg = _merged(
        'train_dataloader.dataset.data_root=/x/my images, [new]/a=b',
        'val_dataloader.dataset.data_root=123',
        'val_cfg.k=10,20',
        'model.head.teacher_temperature=0.05',
        'load_from=/x/a, b.pth',
        'val_evaluator.topk=1,5',
    )
    assert cfg.train_dataloader.dataset.data_root == '/x/my images, [new]/a=b'
    assert cfg.val_dataloader.dataset.data_root == '123'
    assert cfg.val_cfg.k == [10, 20]
    assert cfg.model.head.teacher_temperature == 0.05
    assert cfg.load_from == '/x/a, b.pth'
    assert cfg.val_evaluator.topk == [1, 5]


@pytest.mark.parametrize(
    ('word', 'value'),
    [
        ('model.backbone.frozen_stages=1', 1),
        ('train_dataloader.dataset.skip_broken=True', True),
        ('optim_wrapper.clip_grad.max_norm=1', 1),
        ('optim_wrapper.paramwise_cfg.custom_keys.a.decay_mult=0', 0),
        ('val_dataloader=None', None),
        ('default_hooks.checkpoint=None', None),
        ('default_hooks.ema.type=EMAHook', 'EMAHook'),
        ('default_hooks.checkpoint.save_best=auto', 'auto'),
        ("custom_hooks=[dict(type='EMAHook', priority=49)]", [dict(type='EMAHook', priority=49)]),
        ('load_from=a.pth', 'a.pth'),
        ('find_unused_parameters=True', True),
        ('model_wrapper_cfg.find_unused_parameters=True', True),
        ('auto_scale_lr.rule=sqrt', 'sqrt'),
        ('compile=True', True),
        ('sync_bn=torch', 'torch'),
        ('runner_type=Runner', 'Runner'),
        ('experiment_name=mine', 'mine'),
        ('param_scheduler.0.T_max=7', 7),
        ('train_dataloader.dataset.pipeline.1.num_views=[2,1]', [2, 1]),
        ('train_dataloader.dataset.pipeline.1.transforms.0.0.blur_prob=0.5', 0.5),
        ('val_cfg.k.0=5', 5),
        ('train_dataloader.pin_memory=True', True),
        ('train_dataloader.num_batch_per_epoch=3', 3),
        ('optim_wrapper.accumulative_counts=2', 2),
        ('model.predictor.type=MLPNeck', 'MLPNeck'),
        ('env_cfg.dist_cfg.timeout=60', 60),
    ],
)
def test_keys_that_are_read_are_set(word: str, value: object) -> None:
    node = _merged(word)
    for name in word.split('=')[0].split('.'):
        node = node[int(name)] if isinstance(node, list | tuple) else node[name]
    assert node == value


@pytest.mark.parametrize(
    ('word', 'message'),
    [
        ('max_epochs=1', "no key 'max_epochs'; nearest: train_cfg.max_epochs"),
        ('batch_size=1', 'nearest: train_dataloader.batch_size, val_dataloader.batch_size'),
        ('modle.backbone.depth=18', "no section 'modle'; nearest: model.backbone.depth"),
        ('train_pipeline.1.num_views=[1]',
         "nothing reads 'train_pipeline' after the config file is loaded; change "
         'train_dataloader.dataset.pipeline.1.num_views'),
        ('val_pipeline=[]', 'change val_dataloader.dataset.pipeline'),
        ('collate_fn.type=x', 'nearest: train_dataloader.collate_fn.type, val_dataloader.'),
        ('launcher=pytorch', 'use the option --launcher instead'),
        ('train_cfg.max_epoch=3',
         'train_cfg.max_epoch is not a setting of MidEpochTrainLoop; did you mean max_epochs'),
        ('model.backbon.depth=3', 'model.backbon is not a setting of ReSSL; did you mean backbone'),
        ('model.backbone.depht=3',
         'model.backbone.depht is not a setting of ResNetSmallImage; did you mean depth'),
        ('model.backbone.type=ResNetSmalImage', 'did you mean ResNetSmallImage'),
        ('model.neck.type=Foo', "model.neck.type='Foo' is not a registered model"),
        ('model.head.temprature=1',
         'model.head.temprature is not a setting of RelationHead; did you mean '
         'teacher_temperature or student_temperature? valid: student_temperature, teacher_t'),
        ('train_dataloader.batchsize=1', 'did you mean batch_size'),
        ('train_dataloader.dataset.dataroot=a', 'of ImageFolder; did you mean data_root'),
        ('train_dataloader.dataset.type=ImageFoldr', 'did you mean ImageFolder'),
        ('train_dataloader.sampler.shufle=False', 'of EpochSampler; did you mean shuffle'),
        ('train_dataloader.dataset.pipeline.0.type=LoadImag', 'did you mean LoadImage'),
        ('train_dataloader.dataset.pipeline.1.transforms.0.0.sise=8',
         'train_dataloader.dataset.pipeline.1.transforms.0.0.sise is not a setting of '
         'ContrastiveView; did you mean size'),
        ('optim_wrapper.optimizer.momentun=1', 'of SGD; did you mean momentum'),
        ('optim_wrapper.optimizer.type=SGDD', 'did you mean SGD'),
        ('optim_wrapper.clip_gard=1', 'did you mean clip_grad'),
        ('param_scheduler.0.Tmax=7', 'param_scheduler.0.Tmax is not a setting of CosineAnnealing'),
        ('param_scheduler.0.type=CosineLR', 'did you mean CosineRestartLR or CosineAnnealingLR'),
        ('param_scheduler.7.T_max=7', "'7' is not a valid index of a list of 1"),
        ('default_hooks.checkpoint.intervall=1', 'of CheckpointHook; did you mean interval'),
        ('default_hooks.mine.interval=1', 'default_hooks.mine.type is missing'),
        ('custom_hooks.0.type=ChannelLastHook', 'did you mean ChannelsLastHook'),
        ('val_cfg.kk=1', 'of KNNValLoop; did you mean k'),
        ('val_evaluator.topks=1', 'of Accuracy; did you mean topk'),
        ('visualizer.vis_backends.0.type=LocalBackend', 'did you mean LocalVisBackend'),
        ('log_processor.windowsize=1', 'did you mean window_size'),
        ('randomness.sed=1', 'randomness.sed is not a setting of randomness; did you mean seed'),
        ('env_cfg.cudnn_benchmarc=1', 'did you mean cudnn_benchmark'),
        ('auto_scale_lr.base_batch=64', 'did you mean base_batch_size'),
        ('data_preprocessor.means=1', 'of SelfSupDataPreprocessor; did you mean mean'),
        ('resume.x=1', "'x' cannot be set: 'False' is not a section"),
        ('model..depth=1', 'a key must be names separated by dots'),
    ],
)  # fmt: skip
def test_keys_that_nothing_reads_are_refused(word: str, message: str) -> None:
    with pytest.raises(KeyError) as caught:
        _merged(word)
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_helper_of_a_config_with_code_of_its_own_may_be_read_by_that() -> None:
    steps = [dict(type='LoadImage')]
    own, loader = dict(imports=['os']), dict(dataset=dict(pipeline=steps))
    cfg = Config(dict(custom_imports=own, mine=1, pipeline=steps, train_dataloader=loader))
    apply_options(cfg, {'mine': 2})
    assert cfg.mine == 2
    with pytest.raises(KeyError, match=r'change train_dataloader\.dataset\.pipeline'):
        apply_options(cfg, {'pipeline': []})


def test_imports_of_an_option_are_made() -> None:
    cfg = Config(dict(model=dict()))
    with pytest.raises(ImportError, match='no_such_module_of_mine'):
        apply_options(cfg, {'custom_imports.imports': ['no_such_module_of_mine']})


def test_options_are_applied_one_after_the_other() -> None:
    cfg = Config(dict(model=dict(a=dict(x=1, y=2)), load_from=None))
    apply_options(cfg, {'model.a.x': 3, 'model.a': dict(y=4), 'model.b.c': 5})
    assert cfg.model.to_dict() == dict(a=dict(x=3, y=4), b=dict(c=5))
    apply_options(cfg, {'model.a': dict(_delete_=True, z=6)})
    assert cfg.model.a == dict(z=6)
    with pytest.raises(KeyError, match='is not a section'):
        apply_options(cfg, {'model.a': 1, 'model.a.x': 2})


def test_what_two_loaders_share_changes_in_one() -> None:
    cfg = _merged()
    cfg.test_dataloader = cfg.val_dataloader
    merge_options(cfg, {'test_dataloader.batch_size': 3})
    assert (cfg.test_dataloader.batch_size, cfg.val_dataloader.batch_size) == (3, 8)
