_base_ = ['wcl_resnet50_32xb128-coslr-100e_in1k.py']

train_cfg = dict(max_epochs=200)
