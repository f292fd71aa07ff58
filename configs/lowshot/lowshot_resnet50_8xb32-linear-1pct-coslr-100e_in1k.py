_base_ = ['lowshot_resnet50_8xb32-linear-10pct-coslr-100e_in1k.py']

train_dataloader = dict(dataset=dict(label_split='data/label_splits/in1k_1pct.txt'))
