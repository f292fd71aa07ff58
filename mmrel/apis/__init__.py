from .config import (
    build_runner,
    check_batches,
    load_config,
    test_from_val,
    use_amp,
    use_auto_scale_lr,
)

__all__ = [
    'build_runner',
    'check_batches',
    'load_config',
    'test_from_val',
    'use_amp',
    'use_auto_scale_lr',
]
