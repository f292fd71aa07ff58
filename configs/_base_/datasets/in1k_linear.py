# One weak view for training, the central view for testing.
_base_ = ['in1k_two_views.py']

# For single images, instead of the preprocessor for several views.
data_preprocessor = dict(type='ClsDataPreprocessor')
train_dataloader = dict(
    drop_last=False,
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='WeakView', size=224, scale=(0.08, 1.0)),
            dict(type='PackInputs'),
        ]
    ),
)
val_cfg = dict(_delete_=True)
