_base_ = [
    '../../_base_/models/resnet50_linear.py',
    '../../_base_/datasets/in1k_linear.py',
    '../../_base_/datasets/in1k_val.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=3.2, nesterov=True))  # 0.2 * 4096 / 256
train_cfg = dict(max_epochs=80)
auto_scale_lr = dict(base_batch_size=4096)
