_base_ = ['lowshot_resnet18-w16_1xb64-finetune-10pct-coslr-20e_imagefolder32.py']

train_dataloader = dict(dataset=dict(label_split='data/label_splits/imagefolder32_1pct.txt'))
