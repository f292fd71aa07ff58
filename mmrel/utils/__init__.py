from .checkpoint import load_checkpoint_file
from .safetensors_file import save_safetensors

__all__ = ['load_checkpoint_file', 'save_safetensors']
