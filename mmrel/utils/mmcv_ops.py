"""Use torchvision's NMS and RoIAlign in place of mmcv's compiled ops.

mmdet imports mmcv's ops, which ``pip install onedl-mmcv`` does not compile. Import this
module before mmdet's models, for example with ::

    custom_imports = dict(imports=['mmrel.utils.mmcv_ops', 'mmrel'], allow_failed_imports=False)

Compiled ops are never replaced. Any other op raises an error when called.
"""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

import torch
import torchvision.ops
from mmengine.logging import print_log
from torch import Tensor

from mmrel.dependencies import has_ops
from mmrel.utils.precision import at_least_float32

_EXTENSION = 'mmcv._ext'
# Without ops, these modules permanently fall back to functions that raise an error.
_WITH_OPS = ('mmdet.models.layers', 'mmdet.structures.mask.structures')


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the kept boxes, best first. Boxes (N, 4) are x1, y1, x2, y2."""
    # With an offset of 1 a box includes its last pixel.
    boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torchvision.ops.nms(boxes, scores, iou_threshold)


def _check_mean(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError(
            "torchvision's roi_align only has pool_mode='avg': 'max' needs mmcv's compiled ops"
        )


def _roi_align_forward(
    x: Tensor, rois: Tensor, output: Tensor, *_: Tensor, aligned_height: int, aligned_width: int,
    spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    _check_mean(pool_mode)
    # torchvision has no bf16 kernels on CPUs.
    x, rois = at_least_float32(x), at_least_float32(rois)
    size = (aligned_height, aligned_width)
    output.copy_(torchvision.ops.roi_align(x, rois, size, spatial_scale, sampling_ratio, aligned))


def _roi_align_backward(
    grad: Tensor, rois: Tensor, _y: Tensor, _x: Tensor, grad_input: Tensor, aligned_height: int,
    aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    _check_mean(pool_mode)
    grad, rois = at_least_float32(grad), at_least_float32(rois)
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            grad, rois, spatial_scale, aligned_height, aligned_width, *grad_input.shape,
            sampling_ratio, aligned,
        )
    )  # fmt: skip


class _Ops(ModuleType):
    """Replacement for mmcv's extension module."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Other packages ask importlib whether the module exists.
        self.__spec__ = ModuleSpec(name, None)

    nms = staticmethod(_nms)
    roi_align_forward = staticmethod(_roi_align_forward)
    roi_align_backward = staticmethod(_roi_align_backward)
    # For mmcv's environment report.
    get_compiler_version = get_compiling_cuda_version = staticmethod(lambda: 'n/a')

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            raise NotImplementedError(
                f"{name} needs mmcv's compiled ops (tools/build_mmcv_ops.sh); mmrel.utils.mmcv_ops "
                "only has torchvision's nms and roi_align"
            )

        return missing


def use_torchvision_ops() -> bool:
    """Give mmcv torchvision's NMS and RoIAlign unless it has compiled ops.

    Returns:
        bool: Whether torchvision's are used.

    Raises:
        ImportError: If a part of mmdet that needs ops was already imported.
    """
    if isinstance(sys.modules.get(_EXTENSION), _Ops):
        return True
    if has_ops():
        print_log("using mmcv's compiled ops", logger='current')
        return False
    early = [name for name in _WITH_OPS if name in sys.modules]
    if early:
        raise ImportError(
            f'{early[0]} was imported before mmcv had ops and would not find them: import '
            'mmrel.utils.mmcv_ops first'
        )
    sys.modules[_EXTENSION] = _Ops(_EXTENSION)
    transformer: Any = sys.modules.get('mmcv.cnn.bricks.transformer')
    if transformer is not None:
        # The module looked for ops on import, and the original mmdet imports the class from it.
        from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention

        transformer.MultiScaleDeformableAttention = MultiScaleDeformableAttention
    print_log(
        "mmcv has no compiled ops: using torchvision's nms and roi_align, others raise an error",
        logger='current',
    )
    return True


use_torchvision_ops()
