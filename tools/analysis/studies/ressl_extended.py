"""Effect of the predictor and the InfoNCE warm-up: 10 epochs on a folder of 32-px images."""

title = 'ReSSL, extended: 10 epochs on 5,000 CIFAR-10 images'
metric = 'knn200/top1'
ylabel = 'kNN (k = 200), top-1 in %'
references = {"authors' program, InfoNCE alone": 35.7, "authors' program, base at 0.04": 28.2}

options = {
    'train_cfg.max_epochs': 10,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 5,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
}

_config = 'configs/ressl/ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py'
_predictor = {
    'model.predictor.type': 'MLPNeck',
    'model.predictor.hidden_channels': 512,
    'model.predictor.norm_cfg.type': 'BN1d',
}
_warmup = {
    'model.warmup.type': 'InfoNCEWarmup',
    'model.warmup.epochs': 7,
    'model.warmup.temperature': 0.1,
}
_parts = {
    'base': {},
    'predictor': _predictor,
    'warm-up': _warmup,
    'both': {**_predictor, **_warmup},
}

variants = {
    'InfoNCE alone': dict(
        config=_config,
        panel='t_teacher 0.04',
        seeds=[0, 1, 2],
        options={**_warmup, 'model.warmup.epochs': 10},
    )
}
for _temperature, _seeds in ((0.04, [0, 1, 2]), (0.02, [0]), (0.06, [0])):
    for _part, _options in _parts.items():
        variants[f'{_part}, {_temperature}'] = dict(
            config=_config,
            panel=f't_teacher {_temperature}',
            label=_part,
            seeds=_seeds,
            options={**_options, 'model.head.teacher_temperature': _temperature},
        )
# More seeds for the best setting.
variants['both, 0.02']['seeds'] = [0, 1, 2]
