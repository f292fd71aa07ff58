_base_ = [
    '../_base_/models/simmatch_wrn28.py',
    '../_base_/datasets/cifar10_semi.py',
    '../_base_/schedules/sgd_nesterov_fixmatch_1024ki.py',
    '../_base_/default_runtime_by_iter.py',
]

model = dict(memory=dict(size=250))
train_dataloader = dict(
    sampler=dict(infinite=True),
    dataset=dict(labeled=dict(label_split='data/label_splits/cifar10_25pc.txt')),
)
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
