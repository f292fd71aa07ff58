"""Does pre-training help detection? BCCD with all labels and with a tenth of them.

Needs mmdet (docs/downstream.md), data/bccd and, for the last start, pre-training on its images
(a quarter of an hour on a CPU core; the crops have half the size of the config's, as here):

    VIEWS=train_dataloader.dataset.pipeline.1.transforms
    python tools/train.py configs/ressl/ressl-ext_resnet18-w16_1xb64-coslr-400e_photos.py \
        --work-dir work_dirs/photos_bccd --cfg-options \
        train_dataloader.dataset.data_root=data/bccd/train $VIEWS.0.0.size=32 $VIEWS.1.0.size=32
"""

title = 'BCCD, RetinaNet on a ResNet-18 with 16 base channels'
metric = 'coco/bbox_mAP'
ylabel = 'mAP of the validation images'

# Images at a fifth of their size, so that a run takes minutes on a CPU core. A cell is 20 px wide.
_scale = (128, 96)
options = {
    'train_dataloader.dataset.pipeline.2.scale': _scale,
    'val_dataloader.dataset.pipeline.1.scale': _scale,
    'test_dataloader.dataset.pipeline.1.scale': _scale,
    'model.bbox_head.anchor_generator.octave_base_scale': 4,
    'optim_wrapper.optimizer.lr': 0.03,
    'param_scheduler.0.end': 30,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
}

_config = 'configs/downstream/mmdet/retinanet_resnet18-w16-fpn_1xb4-24e_bccd.py'
_checkpoint = 'model.backbone.init_cfg.checkpoint'
_starts = {
    'scratch': {'model.backbone.init_cfg': None},
    'ReSSL-ext, CIFAR-10': {},
    'WCL, CIFAR-10': {_checkpoint: 'mmrel://wcl_resnet18-w16_1xb256-coslr-20e_cifar10'},
    'ReSSL-ext, these images': {_checkpoint: 'work_dirs/photos_bccd/epoch_400.pth'},
}
# What the norm in the neck is for.
_no_norm = {'model.neck.norm_cfg': None}
_plain = {
    'scratch, plain neck': {'model.backbone.init_cfg': None, **_no_norm},
    'ReSSL-ext, plain neck': _no_norm,
}


def _length(epochs: int) -> dict:
    return {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs // 2,
        'default_hooks.checkpoint.interval': epochs,
    }


# About the same number of steps: 52 per epoch with all labels, 6 with a tenth.
_labels = {
    '10 %': {'train_dataloader.dataset.indices': [*range(0, 205, 10)], **_length(34)},
    'all labels': _length(4),
}

variants = {
    f'{_start}, {_part}': dict(
        config=_config, panel=_part, label=_start, seeds=[0, 1, 2], options={**_from, **_some}
    )
    for _part, _some in _labels.items()
    for _start, _from in {**_starts, **(_plain if _part == '10 %' else {})}.items()
}
