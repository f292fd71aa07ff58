_base_ = ['kshot-k4_nb201-c8-16px_1xb64-coslr-56e_cifar10.py']

model = dict(k=8)
