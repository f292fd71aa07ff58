"""The base of the supernets: a path runs as its stand-alone network."""

import os
from abc import abstractmethod
from collections import OrderedDict
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.func import functional_call

from mmrel.models.backbones.block_cache import BlockCache
from mmrel.registry import MODELS
from mmrel.spaces import ArchPath, SearchSpace

# The simplex-net's step of K-shot NAS runs 16 paths.
_LIMIT = 32
# oneDNN compiles a convolution for each shape and keeps 1,024 of them. Random paths of different
# widths need more: they were compiled again and again, a third of a step's time on a CPU. A full
# cache takes about 0.4 GB more memory.
_ONEDNN_CACHE = ('ONEDNN_PRIMITIVE_CACHE_CAPACITY', 'DNNL_PRIMITIVE_CACHE_CAPACITY')


class Supernet(BaseModule):
    """The parameters of all paths of a space.

    To run a path, the stand-alone backbone of ``space.subnet(path)`` gets
    :meth:`tensors` in place of its parameters and buffers. So the network is
    defined once. This backbone, the skeleton, is on the meta device and holds no
    values.

    Args:
        space (SearchSpace): The space.
        init_cfg (dict | list, optional): As in mmengine's ``BaseModule``.
    """

    def __init__(self, space: SearchSpace, init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg)
        self.space = space
        # oneDNN reads it at its first convolution. A user's own value stays, by either name.
        if not any(name in os.environ for name in _ONEDNN_CACHE):
            os.environ[_ONEDNN_CACHE[0]] = '16384'
        # By mode, because setting the mode of a skeleton takes longer than building it.
        # In dicts, so that skeletons are not children and not in the state dict.
        self._blocks = {True: BlockCache(), False: BlockCache()}
        self._skeletons: dict[bool, OrderedDict[str, nn.Module]] = {
            True: OrderedDict(),
            False: OrderedDict(),
        }

    def backbone_config(self, path: ArchPath) -> dict:
        """Config of the stand-alone backbone of a path.

        Args:
            path (ArchPath): A path of the space.

        Returns:
            dict: Config for ``MODELS.build``.

        Raises:
            ValueError: If the path is not in the space.
        """
        return self.space.subnet(path)['backbone']

    def skeleton(self, path: ArchPath) -> nn.Module:
        """The stand-alone backbone of a path, on the meta device.

        Building it costs a few milliseconds, so equal blocks of different paths are
        shared, and the last skeletons of each mode are kept.

        Args:
            path (ArchPath): A path of the space.

        Returns:
            nn.Module: In the supernet's mode. It shares blocks with other skeletons of
            this mode, so only one may run at a time.

        Raises:
            ValueError: If the path is not in the space.
        """
        key = self.space.key(path)  # validates it
        skeletons = self._skeletons[self.training]
        if key in skeletons:
            skeletons.move_to_end(key)
            return skeletons[key]
        with torch.device('meta'), self._blocks[self.training].use():
            skeleton = MODELS.build(self.backbone_config(path))
        skeletons[key] = skeleton if self.training else skeleton.eval()
        if len(skeletons) > _LIMIT:
            skeletons.popitem(last=False)
        return skeletons[key]

    @abstractmethod
    def tensors(self, path: ArchPath, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Parameters and buffers of a path, under the keys of its stand-alone backbone.

        They are views or functions of the supernet's parameters, so gradients and
        updates of running statistics reach the supernet.
        """

    def run(self, x: Tensor, path: ArchPath, tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Run a path with given tensors.

        Args:
            x (Tensor): Images, (B, 3, H, W).
            path (ArchPath): A path of the space.
            tensors (dict[str, Tensor]): From :meth:`tensors`.

        Returns:
            tuple[Tensor, ...]: The outputs of the stand-alone backbone.
        """
        return functional_call(self.skeleton(path), tensors, (x,), tie_weights=False)

    def forward(self, x: Tensor, path: ArchPath, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        """Run a path.

        Args:
            x (Tensor): Images, (B, 3, H, W).
            path (ArchPath): A path of the space.
            *args: Passed to :meth:`tensors`.
            **kwargs: Passed to :meth:`tensors`.

        Returns:
            tuple[Tensor, ...]: The outputs of the stand-alone backbone.

        Raises:
            ValueError: If the path is not in the space.
        """
        return self.run(x, path, self.tensors(path, *args, **kwargs))

    @torch.no_grad()
    def subnet_state_dict(self, path: ArchPath, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """A copy of a path's weights, for its stand-alone backbone.

        Args:
            path (ArchPath): A path of the space.
            *args: Passed to :meth:`tensors`.
            **kwargs: Passed to :meth:`tensors`.

        Returns:
            dict[str, Tensor]: A state dict that the network of
            :meth:`backbone_config` loads strictly.

        Raises:
            ValueError: If the path is not in the space.
        """
        tensors = self.tensors(path, *args, **kwargs)
        return {key: value.clone() for key, value in tensors.items()}
