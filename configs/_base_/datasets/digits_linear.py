# One weak view for training, the central view for testing.
_base_ = ['digits_two_views.py']

# For single images, instead of the preprocessor for several views.
data_preprocessor = dict(type='ClsDataPreprocessor')
train_dataloader = dict(
    batch_size=256,
    drop_last=False,
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='WeakView', size=32, scale=(0.6, 1.0), flip_prob=0.0),
            dict(type='PackInputs'),
        ]
    ),
)
val_cfg = dict(_delete_=True)
