_base_ = [
    '../_base_/models/resnet50_linear.py',
    '../_base_/datasets/in1k_linear.py',
    '../_base_/datasets/in1k_val.py',
    '../_base_/schedules/linear_coslr_100e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(label_split='data/label_splits/in1k_10pct.txt'))
