default_scope = 'mmrel'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    step_seed=dict(type='StepSeedHook'),
    strict_load=dict(type='StrictLoadHook'),
    finite=dict(type='FiniteHook', patience=0),
)

# Also logs the mean loss of the epoch so far, next to the usual smoothed loss.
log_processor = dict(
    window_size=50,
    # Smoothed like the losses; values of a single batch are noisy.
    mean_pattern=r'.*(loss|time|grad_norm|purity|utilisation|pseudo_label_accuracy|code_).*',
    custom_cfg=[
        dict(data_src='loss', log_name='loss_epoch', method_name='mean', window_size='epoch')
    ],
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Without a GPU the tools use gloo. A rank that is silent for `timeout` seconds ends the job.
    dist_cfg=dict(backend='nccl', timeout=600),
)
# Needs its scope: the Runner looks it up in the root registry.
model_wrapper_cfg = dict(type='mmrel.AnyDeviceDataParallel')

# For TensorBoard, in your own config:
# visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
