"""SimMatch, the same without its instance branch, and the labels alone: the same steps each.

Folder and lists of labels are those of the configs (links will do).
"""

title = 'SimMatch on 5,000 CIFAR-10 images, 3,120 steps'
metric = 'student/top1'
ylabel = 'test top-1 of the student in %'
scalars = ['teacher/top1', 'utilisation', 'pseudo_label_accuracy']
relative = True

options = {'default_hooks.checkpoint.max_keep_ckpts': 1}

_parts = {
    'SimMatch': ('simmatch', {}, 'student/top1'),
    'instance branch off': (
        'simmatch',
        {'model.neck': None, 'model.instance_head': None, 'model.memory': None},
        'student/top1',
    ),
    'labels alone': ('supervised', {}, 'accuracy/top1'),
}
variants = {
    f'{part}, {number} a class': dict(
        config=f'configs/simmatch/{method}_resnet18-w16_imagefolder32_{number}pc.py',
        options=options,
        metric=metric,
        seeds=seeds,
        panel=f'{number} labels a class',
        label=part,
    )
    for number, seeds in ((25, [0, 1, 2]), (4, [0]))
    for part, (method, options, metric) in _parts.items()
}
