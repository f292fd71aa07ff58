from .checkpoint import load_checkpoint_file, use_safe_loading

__all__ = ['load_checkpoint_file', 'use_safe_loading']
