# The same by iteration, with the CIFAR configs' schedule.
_base_ = ['tiny_simmatch.py']

model = dict(instance_head=dict(warmup=dict(epochs=None, iters=4)))
train_dataloader = dict(sampler=dict(infinite=True))
param_scheduler = [dict(type='FractionalCosineLR', cycles=7 / 16, by_epoch=False, begin=0)]
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=14, val_interval=7)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=7))
log_processor = dict(by_epoch=False, custom_cfg=[])
