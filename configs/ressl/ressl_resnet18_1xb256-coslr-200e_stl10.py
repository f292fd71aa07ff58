_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/two_views_64px.py',
    '../_base_/datasets/val_64px.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(max_pool=True),
    head=dict(teacher_temperature=0.04),
    memory=dict(size=16384),
    teacher=dict(momentum=0.996),
)

train_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='train+unlabeled'))
val_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='test'))
# Only the 5,000 labeled images can be in the kNN bank.
val_cfg = dict(bank_dataloader=dict(dataset=dict(split='train')))
data_preprocessor = dict(mean=[112.44, 109.11, 101.09], std=[56.91, 55.97, 57.69])
custom_hooks = [dict(type='ChannelsLastHook')]
