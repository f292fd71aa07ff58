from .checkpoint import load_checkpoint_file
from .safe_loading import use_safe_loading
from .safetensors_file import save_safetensors
from .setup_env import register_all_modules

__all__ = ['load_checkpoint_file', 'register_all_modules', 'save_safetensors', 'use_safe_loading']
