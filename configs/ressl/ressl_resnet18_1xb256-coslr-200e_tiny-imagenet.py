_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/tiny_imagenet_two_views.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(max_pool=True),
    memory=dict(size=16384),
    teacher=dict(momentum=0.996),
)
