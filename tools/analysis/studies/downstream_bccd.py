"""Does pre-training help detection? BCCD with all labels and with a tenth of them.

Needs mmdet (docs/downstream.md), data/bccd and, for the last start, pre-training on its images:

    python tools/train.py configs/ressl/ressl-ext_resnet18-w16_1xb64-coslr-400e_photos.py \
        --work-dir work_dirs/photos_bccd \
        --cfg-options train_dataloader.dataset.data_root=data/bccd/train
"""

title = 'BCCD, Faster R-CNN on a ResNet-18 with 16 base channels'
metric = 'coco/bbox_mAP'
ylabel = 'mAP of the validation images'

options = {
    'optim_wrapper.type': 'mmrel.AutocastOptimWrapper',
    'default_hooks.checkpoint.max_keep_ckpts': 1,
}

_config = 'configs/downstream/mmdet/faster-rcnn_resnet18-w16-fpn_1xb4-24e_bccd.py'
_checkpoint = 'model.backbone.init_cfg.checkpoint'
_starts = {
    'scratch': {'model.backbone.init_cfg': None},
    'ReSSL-ext, CIFAR-10': {},
    'WCL, CIFAR-10': {_checkpoint: 'mmrel://wcl_resnet18-w16_1xb256-coslr-20e_cifar10'},
    'ReSSL-ext, these images': {_checkpoint: 'work_dirs/photos_bccd/epoch_400.pth'},
}
# The same number of steps: 52 per epoch with all labels, 6 with a tenth.
_length = {
    'train_cfg.max_epochs': 208,
    'train_cfg.val_interval': 26,
    'default_hooks.checkpoint.interval': 26,
}
_labels = {
    'all labels': {},
    '10 %': {'train_dataloader.dataset.indices': [*range(0, 205, 10)], **_length},
}

variants = {
    f'{_start}, {_part}': dict(
        config=_config, panel=_part, label=_start, seeds=[0, 1, 2], options={**_from, **_some}
    )
    for _part, _some in _labels.items()
    for _start, _from in _starts.items()
}
