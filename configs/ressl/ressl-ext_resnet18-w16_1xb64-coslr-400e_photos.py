# The extended version on a few hundred photographs without labels, by crops of 64 px: a start for a
# segmentation or detection network that is trained on the same images (docs/downstream.md).
_base_ = ['ressl-ext_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(warmup=dict(epochs=280))

# Small parts of a photograph, so that objects have about the size that they have downstream.
view = dict(size=64, scale=(0.02, 0.2))
train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [dict(type='ContrastiveView', blur_prob=0.0, **view)],
            [dict(type='WeakView', **view)],
        ],
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(data_root='data/photos', with_label=False, pipeline=train_pipeline)
)
# Without labels there is nothing to validate.
val_dataloader = None
val_evaluator = None
val_cfg = None

train_cfg = dict(max_epochs=400)
default_hooks = dict(checkpoint=dict(interval=100))
custom_hooks = [dict(type='ChannelsLastHook')]
