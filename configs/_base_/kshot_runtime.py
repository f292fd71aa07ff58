# The model itself averages over the ranks what its steps concern; its val path gets BN statistics.
_base_ = ['default_runtime.py']

model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='PathCalibrationHook')]
