_base_ = ['kshot-k8_mobilenetv2-se_8xb128-coslr-120e_in1k.py']

model = dict(k=4)
