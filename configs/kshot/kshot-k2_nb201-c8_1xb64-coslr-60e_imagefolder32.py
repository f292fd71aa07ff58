_base_ = ['kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py']

model = dict(k=2)
