from .views import CentralView, ContrastiveView, LoadImage, WeakView

__all__ = ['CentralView', 'ContrastiveView', 'LoadImage', 'WeakView']
