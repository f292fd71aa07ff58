from .color_jitter import ColorJitter
from .views import CentralView, ContrastiveView, LoadImage, WeakView

__all__ = ['CentralView', 'ColorJitter', 'ContrastiveView', 'LoadImage', 'WeakView']
