from .array_transforms import ArrayTransforms
from .color_jitter import ColorJitter
from .packing import MultiView, PackInputs
from .small_image_views import CutoutView, PaddedCropView, RandAugmentView
from .views import CentralView, ContrastiveView, LoadImage, WeakView

__all__ = [
    'ArrayTransforms',
    'CentralView',
    'ColorJitter',
    'ContrastiveView',
    'CutoutView',
    'LoadImage',
    'MultiView',
    'PackInputs',
    'PaddedCropView',
    'RandAugmentView',
    'WeakView',
]
