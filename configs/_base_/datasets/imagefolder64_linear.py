# One weak view for training, the central view for testing.
_base_ = ['imagefolder64_two_views.py']

# Of one image each: mmpretrain's classifier brings its own.
data_preprocessor = dict(type='ClsDataPreprocessor')
train_dataloader = dict(drop_last=False, dataset=dict(pipeline={{_base_.linear_pipeline}}))
val_cfg = dict(_delete_=True)
