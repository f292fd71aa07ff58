# Logging and checkpoints of iteration-based runs.
_base_ = ['default_runtime.py']

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5120))
log_processor = dict(by_epoch=False, custom_cfg=[])
