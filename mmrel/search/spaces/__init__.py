from .vitas import ViTASSpace

__all__ = ['ViTASSpace']
