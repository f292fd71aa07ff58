"""Keys of the authors' WCL checkpoints."""

from .release import Release

RELEASE = Release(
    entry='model',
    keys=[
        (r'^net\.', 'backbone.'),
        *(
            (rf'^head{number}\.{theirs}\.', f'{neck}.mlp.{ours}.')
            for number, neck in ((1, 'neck'), (2, 'graph_neck'))
            for theirs, ours in (
                ('linear1', 0),
                ('bn1', 1),
                ('linear2', 3),
                ('bn2', 4),
                ('linear3', 6),
            )
        ),
    ],
)
