"""Does pre-training help segmentation? CamVid with all labels and with a tenth of them.

Needs mmseg (docs/downstream.md), data/camvid and, for the last start, pre-training on its images:

    python tools/train.py configs/ressl/ressl-ext_resnet18-w16_1xb64-coslr-400e_photos.py \
        --work-dir work_dirs/photos_camvid \
        --cfg-options train_dataloader.dataset.data_root=data/camvid/images/train
"""

title = 'CamVid, FCN on a ResNet-18 with 16 base channels'
metric = 'mIoU'
ylabel = 'mIoU of the validation frames in %'

options = {
    'optim_wrapper.type': 'mmrel.AutocastOptimWrapper',
    'train_cfg.max_iters': 1000,
    'train_cfg.val_interval': 250,
    'default_hooks.checkpoint.interval': 1000,
}

_config = 'configs/downstream/mmseg/fcn_resnet18-w16_1xb8-2ki_camvid.py'
_checkpoint = 'model.backbone.init_cfg.checkpoint'
_starts = {
    'scratch': {'model.backbone.init_cfg': None},
    'ReSSL-ext, CIFAR-10': {},
    'WCL, CIFAR-10': {_checkpoint: 'mmrel://wcl_resnet18-w16_1xb256-coslr-20e_cifar10'},
    'ReSSL-ext, these images': {_checkpoint: 'work_dirs/photos_camvid/epoch_400.pth'},
}
# Every tenth frame, because frames next to each other in the list are from one video.
_labels = {'all labels': {}, '10 %': {'train_dataloader.dataset.indices': [*range(0, 367, 10)]}}

variants = {
    f'{_start}, {_part}': dict(
        config=_config, panel=_part, label=_start, seeds=[0, 1, 2], options={**_from, **_some}
    )
    for _part, _some in _labels.items()
    for _start, _from in _starts.items()
}
