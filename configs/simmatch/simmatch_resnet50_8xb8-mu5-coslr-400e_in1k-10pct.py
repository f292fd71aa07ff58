_base_ = ['simmatch_resnet50_8xb8-mu5-coslr-400e_in1k-1pct.py']

# 128,000 labels: 128 per class.
train_dataloader = dict(dataset=dict(labeled=dict(label_split='data/label_splits/in1k_10pct.txt')))
