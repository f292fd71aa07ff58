"""Keys of the authors' ReSSL checkpoints."""

from .release import Release

RELEASE = Release(
    entry='model',
    keys=[
        (r'^encoder_q\.net\.', 'backbone.'),
        (r'^encoder_q\.head\.linear1\.', 'neck.mlp.0.'),
        (r'^encoder_q\.head\.linear2\.', 'neck.mlp.2.'),
        (r'^encoder_k\.net\.', 'teacher.backbone.'),
        (r'^encoder_k\.head\.linear1\.', 'teacher.neck.mlp.0.'),
        (r'^encoder_k\.head\.linear2\.', 'teacher.neck.mlp.2.'),
        (r'^queue_ptr$', 'memory.pointer'),
        (r'^queue$', 'memory.queue'),
    ],
)
