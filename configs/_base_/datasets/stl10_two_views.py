_base_ = ['two_views_64px.py']

train_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='train+unlabeled'))
val_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='test'))
# Only the 5,000 labeled images can be in the kNN bank.
val_cfg = dict(bank_dataloader=dict(dataset=dict(split='train')))

data_preprocessor = dict(mean=[112.44, 109.11, 101.09], std=[56.91, 55.97, 57.69])
