"""Does pre-training help segmentation? CamVid with all labels and with a tenth of them.

Needs mmseg (docs/downstream.md), data/camvid and, for the last start, pre-training on its images
(a quarter of an hour on a CPU core; the crops have half the size of the config's, as here):

    VIEWS=train_dataloader.dataset.pipeline.1.transforms
    python tools/train.py configs/ressl/ressl-ext_resnet18-w16_1xb64-coslr-400e_photos.py \
        --work-dir work_dirs/photos_camvid --cfg-options \
        train_dataloader.dataset.data_root=data/camvid/images/train \
        train_cfg.max_epochs=200 model.warmup.epochs=140 $VIEWS.0.0.size=32 $VIEWS.1.0.size=32
"""

title = 'CamVid, FCN on a ResNet-18 with 16 base channels'
metric = 'mIoU'
xlabel = 'iteration'
ylabel = 'mIoU of the validation frames in %'

# Frames at half their size, so that a run takes minutes on a CPU core. Labels keep theirs.
_scale, _crop = (240, 180), (96, 96)
options = {
    'train_cfg.max_iters': 300,
    'train_cfg.val_interval': 100,
    'default_hooks.checkpoint.interval': 300,
    'train_dataloader.dataset.pipeline.2.scale': _scale,
    'train_dataloader.dataset.pipeline.3.crop_size': _crop,
    'val_dataloader.dataset.pipeline.1.scale': _scale,
    'test_dataloader.dataset.pipeline.1.scale': _scale,
    'model.data_preprocessor.size': _crop,
}

_config = 'configs/downstream/mmseg/fcn_resnet18-w16_1xb8-2ki_camvid.py'
_checkpoint = 'model.backbone.init_cfg.checkpoint'
_starts = {
    'scratch': {'model.backbone.init_cfg': None},
    'ReSSL-ext, CIFAR-10': {},
    'WCL, CIFAR-10': {_checkpoint: 'mmrel://wcl_resnet18-w16_1xb256-coslr-20e_cifar10'},
    'ReSSL-ext, these images': {_checkpoint: 'work_dirs/photos_camvid/epoch_200.pth'},
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
