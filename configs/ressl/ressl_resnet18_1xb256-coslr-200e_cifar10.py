_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/cifar10_two_views.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]
