# The larger space: 13 blocks without identity.
_base_ = [
    '../_base_/models/vitas_supernet.py',
    '../_base_/datasets/vitas_in1k.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    space=dict(
        _delete_=True,
        type='ViTASSpace',
        num_classes=1000,
        embed_dims=768,
        qkv_dims=2880,
        mlp_dims=2880,
        depth=13,
        allow_identity=False,
    ),
)

val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

# Without RandAugment and color jitter, and without the search's held-out images
# (make_label_split.py writes the list once).
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=224, scale=(0.08, 1.0), interpolation='bicubic'),
    dict(type='ArrayTransforms', transforms=[{{_base_.erasing}}]),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(without_split='data/label_splits/in1k_heldout.txt', pipeline=train_pipeline)
)
