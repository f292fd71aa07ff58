"""SimMatch, SimMatch without its instance branch, and training on the labels alone.

All three take the same number of steps. The data folder and the label lists are those of the
configs; symbolic links work too.
"""

title = 'SimMatch on 5,000 CIFAR-10 images'
metric = 'student/top1'
ylabel = 'test top-1 of the student in %'
scalars = ['teacher/top1', 'utilisation', 'pseudo_label_accuracy']
relative = True

options = {'default_hooks.checkpoint.max_keep_ckpts': 1}


def _length(epochs, warmup, interval):
    return {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': interval,
        'default_hooks.checkpoint.interval': interval,
        'param_scheduler.0.end': warmup,
        'param_scheduler.1.begin': warmup,
    }


# Shorter than the configs' 3,120 steps: 1,872 (25 labels per class) and 936 (4 per class). An epoch
# has 78 steps, with the labels alone 16 and 3.
_lengths = {
    ('simmatch', 25): _length(24, 1, 4),
    ('simmatch', 4): _length(12, 1, 4),
    ('supervised', 25): _length(117, 5, 39),
    ('supervised', 4): _length(312, 13, 104),
}
_panels = {
    (25, True): '25 labels a class, 1,872 steps',
    (25, False): '25 labels a class, 3,120 steps',
    (4, True): '4 labels a class, 936 steps',
}
_seeds = {(25, True): [0, 1, 2], (25, False): [0], (4, True): [0]}

_parts = {
    'SimMatch': ('simmatch', {}, 'student/top1'),
    'instance branch off': (
        'simmatch',
        {'model.neck': None, 'model.instance_head': None, 'model.memory': None},
        'student/top1',
    ),
    'labels alone': ('supervised', {}, 'accuracy/top1'),
}


def _variant(number, short, part):
    method, changes, metric = _parts[part]
    length = _lengths[method, number] if short else {}
    return dict(
        config=f'configs/simmatch/{method}_resnet18-w16_imagefolder32_{number}pc.py',
        options={**options, **changes, **length},
        metric=metric,
        seeds=_seeds[number, short],
        panel=_panels[number, short],
        label=part,
    )


variants = {
    f'{part}, {number} a class' + ', 3,120 steps' * (not short): _variant(number, short, part)
    for number, short in _panels
    for part in _parts
}
