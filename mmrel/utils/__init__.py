from .checkpoint import load_checkpoint_file, use_safe_loading
from .safetensors_file import save_safetensors

__all__ = ['load_checkpoint_file', 'save_safetensors', 'use_safe_loading']
