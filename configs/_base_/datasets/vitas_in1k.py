# DeiT's 224-px augmentation, for retraining a searched network.
_base_ = ['vitas_in1k_supernet.py']

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='WeakView', size=224, scale=(0.08, 1.0), interpolation='bicubic'),
            dict(
                type='ArrayTransforms',
                transforms=[
                    # m9-mstd0.5-inc1
                    dict(
                        type='RandAugment',
                        policies='timm_increasing',
                        num_policies=2,
                        total_level=10,
                        magnitude_level=9,
                        magnitude_std=0.5,
                        hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
                    ),
                    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
                    {{_base_.erasing}},
                ],
            ),
            dict(type='PackInputs'),
        ]
    )
)
