_base_ = [
    '../_base_/models/kshot_mobilenetv2_se.py',
    '../_base_/datasets/in1k_linear.py',
    '../_base_/datasets/in1k_val.py',
    '../_base_/schedules/kshot_coslr_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(k=8)
# The search's held-out images (make_label_split.py writes the list once).
train_dataloader = dict(
    batch_size=128,
    drop_last=True,
    dataset=dict(without_split='data/label_splits/in1k_heldout.txt'),
)

# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='PathCalibrationHook')]
