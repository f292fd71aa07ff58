# 224-px views for the super-transformer: bicubic crop, flip, erasing, then CutMix or Mixup.
# No RandAugment or color jitter.
_base_ = ['in1k_linear.py']

data_preprocessor = dict(num_classes=1000)
bgr_mean = [103.53, 116.28, 123.675]
bgr_std = [57.375, 57.12, 58.395]
erasing = dict(
    type='RandomErasing',
    erase_prob=0.25,
    mode='rand',
    min_area_ratio=0.02,
    max_area_ratio=1 / 3,
    fill_color=bgr_mean,
    fill_std=bgr_std,
)

train_dataloader = dict(
    batch_size=128,
    drop_last=True,
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='WeakView', size=224, scale=(0.08, 1.0), interpolation='bicubic'),
            dict(type='ArrayTransforms', transforms=[erasing]),
            dict(type='PackInputs'),
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CentralView', size=224, resize=256, interpolation='bicubic'),
            dict(type='PackInputs'),
        ]
    )
)
