_base_ = ['kshot-k4_macro-c16-16px_1xb64-coslr-14e_cifar10.py']

model = dict(k=8)
