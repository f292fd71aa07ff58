_base_ = ['kshot-k8_mobilenetv2-se-small_1xb64-coslr-60e_imagefolder32.py']

model = dict(k=1)
