"""Keys of the authors' SimMatch checkpoints."""

from .release import Release

RELEASE = Release(
    entry='state_dict',
    keys=[
        *(
            (rf'^{theirs}\.{part}\.', f'{ours}{name}.')
            for theirs, ours in (('main', ''), ('ema', 'teacher.'))
            for part, name in (
                ('backbone', 'backbone'),
                ('fc', 'classifier'),
                (r'head\.0', 'neck.mlp.0'),
                (r'head\.2', 'neck.mlp.2'),
            )
        ),
        (r'^bank$', 'memory.bank'),
        (r'^labels$', 'memory.labels'),
        (r'^DA_queue$', 'alignment.queue'),
        (r'^DA_ptr$', 'alignment.pointer'),
    ],
)
