# One weak view for training, the central view for testing.
_base_ = ['imagefolder64_two_views.py']

# For single images, instead of the preprocessor for several views.
data_preprocessor = dict(type='ClsDataPreprocessor')
train_dataloader = dict(drop_last=False, dataset=dict(pipeline={{_base_.linear_pipeline}}))
val_cfg = dict(_delete_=True)
