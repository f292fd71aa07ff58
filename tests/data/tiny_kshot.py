# The small K-shot config, small enough that a command is tested in seconds.
_base_ = ['../../configs/kshot/kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py']

model = dict(
    k=2,
    space=dict(num_classes=3, channels=2),
    simplex=dict(parts=4, run_paths=2),
    warmup=dict(epochs=1),
    calibration_batches=2,
)
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(without_split=None))
val_dataloader = dict(batch_size=8, num_workers=0)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=4, val_interval=2)
default_hooks = dict(logger=dict(interval=2), checkpoint=dict(interval=1, max_keep_ckpts=4))
val_evaluator = dict(topk=(1,))
