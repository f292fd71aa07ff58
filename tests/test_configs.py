"""Every config is complete: it reads, builds, and is in the zoo."""

import ast
import functools
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import FUNCTIONS

from mmrel.datasets import EpochSampler, SemiSupervisedSampler
from mmrel.engine import inner_dataset
from mmrel.engine.loaders import batch_size_of
from mmrel.engine.schedule import spans
from mmrel.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    SEARCH_SPACES,
    TRANSFORMS,
)
from mmrel.search.budget import Budget, draw_path
from mmrel.search.retraining import find_base, retraining_config
from tests.configs import CONFIGS, build_model, read_config
from tests.vitas import case_path, case_space

ROOT = Path(__file__).parents[1]


@functools.cache
def _zoo() -> list[dict]:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    files = [ROOT / path for path in index['Import']]
    return [model for file in files for model in yaml.safe_load(file.read_text())['Models']]


# The largest supernets take 5 to 10 s each; K = 1 and 2 of the same spaces stay quick.
LARGE = [
    pytest.param(p, marks=pytest.mark.slow) if re.search(r'-k[48]_.*in1k', p.stem) else p
    for p in CONFIGS
]


@pytest.mark.parametrize('path', LARGE, ids=lambda p: p.stem)
def test_config_builds(path: Path, mmrel_scope: None) -> None:
    cfg = read_config(path)
    trained = sum(p.numel() for p in build_model(cfg).parameters() if p.requires_grad)
    assert trained > 1000
    for loader in filter(None, (cfg.train_dataloader, cfg.val_dataloader)):
        dataset = loader.dataset
        assert DATASETS.get(dataset.type) is not None
        pipelines = [dataset.get('crop_pipeline', [])]
        if 'unlabeled' in dataset:
            pipelines.append(dataset.unlabeled.pipeline)
            assert DATASETS.get(dataset.unlabeled.type) is not None
        for transform in sum(pipelines, inner_dataset(dataset).pipeline):
            TRANSFORMS.build(transform)
        semi = 'unlabeled' in dataset
        assert loader.collate_fn.type == (
            'mmrel.semi_supervised_collate' if semi else 'default_collate'
        )
        assert callable(FUNCTIONS.get(loader.collate_fn.type))
    sampler = DATA_SAMPLERS.get(cfg.train_dataloader.sampler.type)
    assert sampler in (EpochSampler, SemiSupervisedSampler)
    if sampler is SemiSupervisedSampler:
        batch = cfg.train_dataloader.sampler
        size = batch_size_of(cfg.train_dataloader)
        assert size == batch.labeled_batch * (1 + batch.mu)
        assert 'batch_size' not in cfg.train_dataloader
        assert batch.get('infinite', False) is not cfg.train_cfg.by_epoch
        assert cfg.model_wrapper_cfg.find_unused_parameters
        assert {'type': 'LabeledSetHook'} in [dict(hook) for hook in cfg.custom_hooks]
    if cfg.val_evaluator is not None:  # else without labels
        METRICS.build(cfg.val_evaluator)
    assert issubclass(OPTIM_WRAPPERS.get(cfg.optim_wrapper.type), OptimWrapper)
    assert OPTIMIZERS.get(cfg.optim_wrapper.optimizer.type) is not None
    for hook in cfg.get('custom_hooks', []):
        HOOKS.build(hook)
    assert {'checkpoint', 'strict_load', 'sampler_seed'} <= cfg.default_hooks.keys()


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_schedule_covers_the_run(path: Path) -> None:
    cfg = read_config(path)
    found = spans(cfg, epoch_length=1)
    ranges = [(span.begin, span.end) for span in found]
    assert ranges[0][0] == 0
    by_epoch = cfg.train_cfg.by_epoch
    assert ranges[-1][1] == cfg.train_cfg['max_epochs' if by_epoch else 'max_iters']
    assert all(s.get('by_epoch', True) is by_epoch for s in cfg.param_scheduler)
    assert cfg.default_hooks.checkpoint.get('by_epoch', True) is by_epoch
    assert cfg.log_processor.get('by_epoch', True) is by_epoch
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    # The last one follows the run's length.
    assert not {'T_max', 'end'} & cfg.param_scheduler[-1].keys()


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_config_is_in_the_zoo(path: Path) -> None:
    assert path.stem in {model['Name'] for model in _zoo()}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_name_begins_with_the_method(path: Path) -> None:
    assert path.stem.startswith(path.relative_to(ROOT / 'configs').parts[0])


def _base_files(path: Path) -> list[Path]:
    """The files in a config's ``_base_``, without those of other packages."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            bases = ast.literal_eval(node.value)
            bases = [bases] if isinstance(bases, str) else bases
            return [path.parent / base for base in bases if '::' not in base]
    return []


def test_a_base_has_no_base_and_a_config_has_two_levels_at_most() -> None:
    """A config inherits from ``_base_`` folders, and from one config that itself only does so."""
    for path in sorted((ROOT / 'configs').rglob('*.py')):
        bases = _base_files(path)
        assert not bases or '_base_' not in path.parts, path
        configs = [base for base in bases if '_base_' not in base.parts]
        assert len(configs) <= 1, path
        for config in configs:
            assert all('_base_' in base.parts for base in _base_files(config)), path


def test_the_zoo_names_files_that_exist() -> None:
    names = {model['Name'] for model in _zoo()}
    for model in _zoo():
        assert (ROOT / model['Config']).is_file()
        assert set(model.get('Downstream', [])) <= names


def test_published_settings_of_the_imagenet_config() -> None:
    cfg = read_config(ROOT / 'configs/ressl/ressl_resnet50_8xb32-coslr-200e_in1k.py')
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (0.05, 0.9, 1e-4)
    assert cfg.optim_wrapper.paramwise_cfg == dict(norm_decay_mult=0.0, bias_decay_mult=0.0)
    assert (cfg.model.memory.size, cfg.model.teacher.momentum) == (131072, 0.999)
    assert (cfg.model.neck.hidden_channels, cfg.model.neck.out_channels) == (4096, 512)
    assert (cfg.model.head.student_temperature, cfg.model.head.teacher_temperature) == (0.1, 0.04)
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.train_cfg.max_epochs == 200


@pytest.mark.parametrize(('percent', 'labels'), [(1, 13), (10, 128)])
def test_published_settings_of_simmatch_on_imagenet(percent: int, labels: int) -> None:
    name = f'simmatch_resnet50_8xb8-mu5-coslr-400e_in1k-{percent}pct.py'
    cfg = read_config(ROOT / 'configs/simmatch' / name)
    model, sampler = cfg.model, cfg.train_dataloader.sampler
    assert (8 * sampler.labeled_batch, 8 * sampler.labeled_batch * sampler.mu) == (64, 320)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[0].end) == (400, 5)
    assert cfg.param_scheduler[1].by_epoch
    assert 'convert_to_iter_based' not in cfg.param_scheduler[1]
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (0.03, 0.9, 1e-4)
    assert optimizer.nesterov
    assert 'paramwise_cfg' not in cfg.optim_wrapper  # decay on all
    head, instance = model.head, model.instance_head
    assert (head.threshold, head.loss_weight, instance.loss_weight) == (0.7, 10.0, 5.0)
    assert (instance.alpha, instance.student_temperature, instance.teacher_temperature) == (
        0.9, 0.1, 0.1,
    )  # fmt: skip
    assert (model.alignment.size, model.teacher.momentum, model.memory.momentum) == (256, 0.999, 0)
    # The labels of our lists: the share of 1,281,167 images, rounded a class.
    assert round(1281167 * percent / 100 / 1000) == labels
    split = cfg.train_dataloader.dataset.labeled.label_split
    assert split.endswith(f'in1k_{percent}pct.txt')


@pytest.mark.parametrize(
    ('classes', 'labels'),
    [(10, 40), (10, 250), (10, 4000), (100, 400), (100, 2500), (100, 10000)],
)
def test_published_settings_of_simmatch_on_cifar(classes: int, labels: int) -> None:
    width = 2 if classes == 10 else 8
    name = f'simmatch_wrn28-{width}_1xb64-mu7-1024ki_cifar{classes}-{labels}.py'
    cfg = read_config(ROOT / 'configs/simmatch' / name)
    model, sampler = cfg.model, cfg.train_dataloader.sampler
    assert (sampler.labeled_batch, sampler.labeled_batch * sampler.mu) == (64, 448)
    assert sampler.get('allow_repeats', False) is (labels < 64)
    assert cfg.train_cfg.max_iters == spans(cfg)[0].end == 2**20
    assert cfg.param_scheduler[0].cycles == 7 / 16
    decay = 5e-4 if classes == 10 else 1e-3
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.nesterov, optimizer.weight_decay) == (0.03, True, decay)
    head, instance = model.head, model.instance_head
    assert (head.threshold, head.loss_weight, instance.loss_weight) == (0.95, 1.0, 1.0)
    assert model.alignment.size == (32 if classes == 10 else 256)
    assert model.memory.momentum == 0.7
    assert (model.backbone.depth, model.backbone.widen_factor) == (28, width)
    split = cfg.train_dataloader.dataset.labeled.label_split
    assert split.endswith(f'cifar{classes}_{labels // classes}pc.txt')
    assert cfg.train_dataloader.dataset.labeled.type == f'CIFAR{classes}'


def test_published_settings_of_wcl() -> None:
    root = ROOT / 'configs/wcl'
    cfg = read_config(root / 'wcl_resnet50_32xb128-coslr-100e_in1k.py')
    optimizer = cfg.optim_wrapper.optimizer
    batch = 32 * cfg.train_dataloader.batch_size
    assert batch == cfg.auto_scale_lr.base_batch_size == 4096
    assert optimizer.lr == pytest.approx(0.075 * batch**0.5)
    assert (optimizer.type, optimizer.momentum, optimizer.weight_decay) == ('LARS', 0.9, 1e-6)
    assert (optimizer.eta, optimizer.exclude_bias_and_norm) == (0.001, True)
    neck = cfg.model.neck
    assert (neck.num_layers, neck.hidden_channels, neck.out_channels) == (3, 4096, 256)
    assert neck.norm_cfg.type == cfg.model.backbone.norm_cfg.type == 'SyncBN'
    assert cfg.model.head.temperature == cfg.model.graph_head.temperature == 0.1
    # MoCo's views for the first ten epochs, SimCLR's from the eleventh on.
    first, second = (
        TRANSFORMS.build(pipeline[1].transforms[0][0])
        for pipeline in (
            cfg.train_dataloader.dataset.pipeline,
            cfg.custom_hooks[0].schedule[0].train_pipeline,
        )
    )
    assert cfg.custom_hooks[0].schedule[0].action_epoch == 11
    for view, scale, jitter in (
        (first, (0.2, 1.0), (0.4, 0.4, 0.4, 0.1)),
        (second, (0.08, 1.0), (0.8, 0.8, 0.8, 0.2)),
    ):
        assert view.scale == scale
        ranges = (view.jitter.brightness, view.jitter.contrast, view.jitter.saturation)
        assert [high for _, high in ranges] == pytest.approx([1 + j for j in jitter[:3]])
        assert view.jitter.hue == (-jitter[3], jitter[3])
        assert (view.jitter_prob, view.gray_prob, view.blur_prob) == (0.8, 0.2, 0.5)
        assert view.blur_sigma == (0.1, 2.0)
    epochs = [read_config(p).train_cfg.max_epochs for p in sorted(root.glob('*resnet50*.py'))]
    assert sorted(epochs) == [100, 200, 800]
    linear = read_config(root / 'benchmarks/wcl_resnet50_32xb128-linear-coslr-80e_in1k.py')
    sgd = linear.optim_wrapper.optimizer
    assert (sgd.lr, sgd.nesterov, sgd.weight_decay) == (3.2, True, 0.0)
    assert 32 * linear.train_dataloader.batch_size == 4096
    assert linear.train_cfg.max_epochs == 80


@pytest.mark.parametrize('size', ['1g', '4.9g'])
def test_published_settings_of_vitas_supernets(size: str, mmrel_scope: None) -> None:
    cfg = read_config(ROOT / f'configs/vitas/vitas_supernet-{size}_8xb128-coslr-300e_in1k.py')
    optimizer, paramwise = cfg.optim_wrapper.optimizer, cfg.optim_wrapper.paramwise_cfg
    assert 8 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 1024
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 1e-3, 0.05)
    assert (paramwise.bias_decay_mult, paramwise.norm_decay_mult) == (0, 0)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[0].end) == (300, 5)
    assert cfg.model.head.loss.label_smooth_val == 0.1
    assert {a.type for a in cfg.model.train_cfg.augments} == {'Mixup', 'CutMix'}
    assert cfg.model_wrapper_cfg.find_unused_parameters
    space = SEARCH_SPACES.build(cfg.model.space)
    if size == '1g':
        assert (space.depth, space.embed_dims, space.qkv_dims, space.mlp_dims) == (
            16, 384, 1440, 1440,
        )  # fmt: skip
        assert space.allow_identity
    else:
        assert (space.depth, space.embed_dims, space.qkv_dims, space.mlp_dims) == (
            13, 768, 2880, 2880,
        )  # fmt: skip
        assert not space.allow_identity
    assert (space.patch_sizes, space.heads) == ((14, 16, 32), (3, 6, 12, 16))
    assert space.choices['embed'] == tuple(i / 10 for i in range(1, 11))
    _, view, arrays, _ = cfg.train_dataloader.dataset.pipeline
    assert (view.interpolation, view.scale) == ('bicubic', (0.08, 1.0))
    (erasing,) = arrays.transforms
    assert (erasing.type, erasing.erase_prob) == ('RandomErasing', 0.25)


@pytest.mark.parametrize(
    ('name', 'case'), dict(a='858m', b='1g', c='1.3g', e='2.7g', f='4.9g').items()
)
def test_searched_networks_are_the_published_ones(name: str, case: str, mmrel_scope: None) -> None:
    cfg = read_config(ROOT / f'configs/vitas/vitas-{name}_8xb128-coslr-300e_in1k.py')
    official = json.loads((ROOT / f'tests/data/parity/vitas_{case}.json').read_text())
    space = case_space(official)
    network = space.network(case_path(space, official))
    assert {key: cfg.model.backbone[key] for key in network} == network
    assert cfg.model.backbone.drop_path_rate == 0.1
    rand, jitter, erasing = cfg.train_dataloader.dataset.pipeline[2].transforms
    assert (rand.magnitude_level, rand.magnitude_std, rand.policies) == (9, 0.5, 'timm_increasing')
    assert (jitter.brightness, jitter.contrast, jitter.saturation) == (0.4, 0.4, 0.4)
    assert erasing.erase_prob == 0.25
    mix = {a.type: a.alpha for a in cfg.model.train_cfg.augments}
    assert mix == {'Mixup': 0.8, 'CutMix': 1.0}


SEARCHES = [p for p in CONFIGS if read_config(p).get('test_cfg', {}).get('type') == 'SearchLoop']


@pytest.mark.parametrize('path', SEARCHES, ids=lambda p: p.stem)
def test_a_search_finds_paths_and_retrains_them(path: Path, mmrel_scope: None) -> None:
    cfg = read_config(path)
    search = cfg.test_cfg
    space, budget = SEARCH_SPACES.build(cfg.model.space), Budget(**search.budget)
    generator = np.random.default_rng(0)
    drawn = draw_path(space, budget, generator)
    # The parameters of a cell count all its edges; its network has only the used ones.
    while 'nb201' in path.stem and not space.used(space.indices([drawn])).all():
        drawn = draw_path(space, budget, generator)
    text = retraining_config(space, drawn, find_base(search.retrain.base), 'A path.')
    retraining = Config.fromstring(text, '.py')
    parameters = sum(p.numel() for p in build_model(retraining).parameters())
    assert parameters == space.parameters(space.indices([drawn]))[0]
    # Scored on images that the supernet did not see, or (digits) on its test images.
    held_out, seen = cfg.test_dataloader.dataset, cfg.train_dataloader.dataset
    if 'digits' in path.stem:
        assert held_out == cfg.val_dataloader.dataset
    else:
        assert held_out.label_split == seen.without_split
        assert (held_out.type, held_out.data_root) == (seen.type, seen.data_root)
        assert held_out.get('split') == seen.get('split')
        assert held_out.pipeline == cfg.val_dataloader.dataset.pipeline
    # All of the space's published search.
    if 'in1k' in path.stem:
        assert (search.population, search.generations) == (50, 40)


def test_what_vitas_decays(mmrel_scope: None) -> None:
    cfg = read_config(ROOT / 'configs/vitas/vitas_supernet_small_digits.py')
    for tokens_too in (False, True):
        if tokens_too:
            keys = 'optim_wrapper.paramwise_cfg.custom_keys'
            cfg.merge_from_dict(
                {f'{keys}.{key}.decay_mult': 1.0 for key in ('cls_token', 'pos_embed')}
            )
        model = build_model(cfg)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
        decay = {id(p): g['weight_decay'] for g in optimizer.param_groups for p in g['params']}
        for key, parameter in model.named_parameters():
            token = key.endswith(('cls_token', 'pos_embed'))
            decayed = tokens_too if token else parameter.ndim > 1
            assert decay[id(parameter)] == (0.05 if decayed else 0.0), key
