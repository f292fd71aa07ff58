# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
_base_ = ['default_runtime.py']

model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='PathCalibrationHook')]
