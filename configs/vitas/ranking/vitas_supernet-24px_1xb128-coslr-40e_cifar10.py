# A super-transformer to rank against networks trained alone, in half an hour on one CPU core
# (docs/ranking.md). Held-out images: tools/dataset_converters/make_label_split.py CONFIG
# --per-class 200
_base_ = [
    '../../_base_/models/vitas_supernet_24px.py',
    '../../_base_/datasets/cached_24px.py',
    '../../_base_/schedules/adamw_coslr_300e.py',
    '../../_base_/default_runtime.py',
]

val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

train_cfg = dict(max_epochs=40, val_interval=10)
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1))
