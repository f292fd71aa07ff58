"""WCL with the graph head, without it, and with K-NN multi-crop, on a folder of 32-px images.

The folders are those of the configs, data/train and data/test; symbolic links work too.
"""

title = 'WCL: 20 epochs on 5,000 CIFAR-10 images'
metric = 'knn200/top1'
ylabel = 'kNN (k = 200), top-1 in %'
scalars = ['purity']

options = {
    'default_hooks.checkpoint.interval': 5,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
}

_config = 'configs/wcl/wcl_resnet18-w16_1xb256-coslr-20e_imagefolder32.py'
_multi_crop = 'configs/wcl/wcl_resnet18-w16_1xb256-knnmcrop2-coslr-20e_imagefolder32.py'

variants = {
    'graph head': dict(config=_config, seeds=[0, 1, 2]),
    'instance head only': dict(config=_config, seeds=[0, 1, 2], options={'model.graph_head': None}),
    'K-NN multi-crop': dict(config=_multi_crop, seeds=[0, 1, 2]),
}
