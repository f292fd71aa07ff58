from .checkpoint import load_checkpoint_file, use_safe_loading
from .dependencies import check_dependencies

__all__ = ['check_dependencies', 'load_checkpoint_file', 'use_safe_loading']
