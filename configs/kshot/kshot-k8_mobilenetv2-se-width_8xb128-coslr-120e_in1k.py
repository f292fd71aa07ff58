# With channel search: each layer uses a fraction of its expanded channels.
_base_ = ['kshot-k8_mobilenetv2-se_8xb128-coslr-120e_in1k.py']

model = dict(
    space=dict(widths=(0.2, 0.4, 0.6, 0.8, 1.0)),
    simplex=dict(regularizer=dict(type='WidthSimilarityLoss', loss_weight=1.0)),
)
