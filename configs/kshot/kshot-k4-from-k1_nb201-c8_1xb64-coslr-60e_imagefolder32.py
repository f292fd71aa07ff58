# Starts from a trained K = 1 supernet: set --cfg-options model.init_cfg.checkpoint=...
_base_ = ['kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py']

model = dict(
    warmup=None,  # the weights are already trained
    init_cfg=dict(type='OneShotInit', checkpoint='', noise=0.01, seed=0),
)
