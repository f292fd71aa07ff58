_base_ = [
    '../_base_/models/wcl_resnet50.py',
    '../_base_/datasets/in1k_simclr_views.py',
    '../_base_/datasets/in1k_val.py',
    '../_base_/schedules/lars_coslr_100e.py',
    '../_base_/default_runtime.py',
]

# MoCo's views during the learning-rate warm-up, SimCLR's after it.
custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=11, train_pipeline={{_base_.simclr_pipeline}})],
    )
]
