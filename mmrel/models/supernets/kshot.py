"""The K-shot supernet of any coded space."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmrel.models.layers.kshot import RUNNING_STATISTICS, StackedLayer, mix
from mmrel.registry import MODELS
from mmrel.spaces import ArchPath, CodedSpace

from .supernet import Supernet


@MODELS.register_module()
class KShotSupernet(Supernet):
    """All paths of a space in one network with K weights per layer.

    It holds each layer of the stand-alone networks once, at full width, under the
    name that ``space.shared_key`` gives it. A path uses the first channels of its
    layers, mixed by its code. Running statistics of batch norms are shared by the
    K weights. With K = 1, a path equals its stand-alone network bit for bit, for
    any code.
    Source: K-shot NAS (arXiv:2106.06442).

    Args:
        space (CodedSpace): The space.
        k (int): K. 1 gives the one-shot supernet.
        norm_cfg (dict, optional): Norm of the networks, such as ``dict(type='BN',
            affine=False)``, which has no scale and shift to share. Defaults to None:
            that of the stand-alone networks.
        init_cfg (dict | list, optional): Defaults to None: torch's own
            initialization.

    Raises:
        TypeError: If the space is not a coded space, or a layer cannot be
            initialized K times.
        ValueError: If ``k`` is below 1.
    """

    def __init__(
        self,
        space: CodedSpace,
        k: int,
        init_cfg: dict | list | None = None,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__(space, init_cfg)
        self.norm_cfg = norm_cfg
        if not isinstance(space, CodedSpace):
            raise TypeError(
                f'space.type={type(space).__name__} has no codes: KShotSupernet needs a CodedSpace'
            )
        self.space: CodedSpace
        self.k = k
        tree = _Tree()
        for path in space.covering_paths():
            skeleton = self.skeleton(path)
            layers = dict(_layers(skeleton))
            for name, _ in skeleton.named_modules():
                # Insert the containers too: they keep the order of the stand-alone networks.
                key = space.shared_key(path, name) if name in layers else name
                tree.insert(key, layers.get(name))
        for name, child in tree.stacked(k).named_children():
            self.add_module(name, child)
        # The key, the source (layer and name) and the shape of each tensor of a skeleton.
        self._layout: tuple[nn.Module, list[tuple[str, nn.Module, str, torch.Size]]] | None = None

    def backbone_config(self, path: ArchPath) -> dict:
        """Config of the stand-alone backbone of a path, with the supernet's norm."""
        config = super().backbone_config(path)
        return config if self.norm_cfg is None else dict(config, norm_cfg=self.norm_cfg)

    def _sources(self, path: ArchPath) -> list[tuple[str, nn.Module, str, torch.Size]]:
        skeleton = self.skeleton(path)
        if self._layout is None or self._layout[0] is not skeleton:
            found = []
            for name, layer in _layers(skeleton):
                source = self.get_submodule(self.space.shared_key(path, name))
                for leaf, value in _own_tensors(layer):
                    if value is not None:
                        found.append((f'{name}.{leaf}', source, leaf, value.shape))
            self._layout = skeleton, found
        return self._layout[1]

    def tensors(
        self, path: ArchPath, code: Tensor, statistics: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Mixed weights and running statistics of a path.

        Args:
            path (ArchPath): A path of the space.
            code (Tensor): Its code, (K,).
            statistics (dict[str, Tensor], optional): Running statistics to use, from
                :meth:`fresh_statistics` or :meth:`calibrate`. Defaults to None: the
                supernet's.

        Returns:
            dict[str, Tensor]: By the keys of the stand-alone backbone.

        Raises:
            ValueError: If the path is not in the space.
            KeyError: If the statistics are from another path.
        """
        result = {}
        for key, layer, leaf, shape in self._sources(path):
            source = getattr(layer, leaf)
            if isinstance(source, nn.Parameter):
                if source.shape[1:] != shape:
                    source = source[(slice(None), *(slice(n) for n in shape))]
                result[key] = mix(source, code)
            elif statistics is None:
                result[key] = source[tuple(slice(n) for n in shape)]
            elif key not in statistics or statistics[key].shape != shape:
                raise KeyError(f'these running statistics are from another path: no {key} {shape}')
            else:
                result[key] = statistics[key]
        return result

    def fresh_statistics(self, path: ArchPath) -> dict[str, Tensor]:
        """Initial running statistics for a path, apart from the supernet's.

        Args:
            path (ArchPath): A path of the space.

        Returns:
            dict[str, Tensor]: By the keys of the stand-alone backbone.
        """
        return {
            key: getattr(layer, leaf).new_full(shape, RUNNING_STATISTICS[leaf])
            for key, layer, leaf, shape in self._sources(path)
            if leaf in layer._buffers
        }

    @torch.no_grad()
    def calibrate(
        self, path: ArchPath, code: Tensor, batches: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Running statistics of a path, averaged over batches in one pass.

        The supernet's own statistics do not change.

        Args:
            path (ArchPath): A path of the space.
            code (Tensor): Its code, (K,).
            batches (Sequence[Tensor]): Images, (B, 3, H, W) each.

        Returns:
            dict[str, Tensor]: For :meth:`tensors`.

        Raises:
            ValueError: If there are no batches.
        """
        if not batches:
            raise ValueError('running statistics need at least one batch')
        statistics = self.fresh_statistics(path)
        tensors = self.tensors(path, code, statistics)
        with _averaging(self.skeleton(path)) as norms:
            for i, inputs in enumerate(batches):
                for norm in norms:
                    norm.momentum = 1 / (i + 1)
                self.run(inputs, path, tensors)
        return statistics

    def subnet_state_dict(self, path: ArchPath, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """As in the base class; norms without scale and shift get 1 and 0."""
        state = super().subnet_state_dict(path, *args, **kwargs)
        for key in [key for key in state if key.endswith('running_mean')]:
            norm, mean = key.removesuffix('running_mean'), state[key]
            state.setdefault(f'{norm}weight', torch.ones_like(mean))
            state.setdefault(f'{norm}bias', torch.zeros_like(mean))
        return state


@contextmanager
def _averaging(network: nn.Module) -> Iterator[list[_BatchNorm]]:
    """The batch norms of a network, in training mode; reset at the end."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.training) for norm in norms]
    try:
        for norm in norms:
            norm.train()
        yield norms
    finally:
        for norm, (momentum, training) in zip(norms, before, strict=True):
            norm.momentum, norm.training = momentum, training


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Names and modules with parameters or buffers of their own."""
    for name, layer in network.named_modules():
        if any(value is not None for _, value in _own_tensors(layer)):
            yield name, layer


def _own_tensors(layer: nn.Module) -> Iterator[tuple[str, Tensor | None]]:
    yield from layer._parameters.items()
    yield from layer._buffers.items()


class _Tree:
    """Layers by the parts of their names, in the order of their insertion."""

    def __init__(self) -> None:
        self.layer: nn.Module | None = None
        self.children: dict[str, _Tree] = {}

    def insert(self, name: str, layer: nn.Module | None) -> None:
        """Insert a layer under a name, unless it has an equal one; None: only insert the name."""
        node = self
        for part in name.split('.'):
            node = node.children.setdefault(part, _Tree())
        if layer is None or node.layer is None:
            node.layer = node.layer or layer
        elif _shapes(node.layer) != _shapes(layer):
            raise ValueError(
                f'space.shared_key gives the name {name!r} to layers of different shapes at full '
                f'width: {_shapes(node.layer)} and {_shapes(layer)}'
            )

    def stacked(self, k: int) -> nn.Module:
        """The same tree, with K weights per layer."""
        module = nn.Module() if self.layer is None else StackedLayer(k, self.layer)
        for part, child in self.children.items():
            if not child.empty():
                module.add_module(part, child.stacked(k))
        return module

    def empty(self) -> bool:
        """Whether it has no layers."""
        return self.layer is None and all(child.empty() for child in self.children.values())


def _shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in _own_tensors(layer) if value is not None}


def _renamed(old: str) -> None:
    """Register a former name of the supernet, with a warning."""

    def build(*args: Any, **kwargs: Any) -> KShotSupernet:
        print_log(
            f"model.backbone.type='{old}' is now 'KShotSupernet', the default: leave out "
            'model.backbone. The old name will be removed in version 0.3',
            logger='current',
            level=logging.WARNING,
        )
        return KShotSupernet(*args, **kwargs)

    MODELS.register_module(name=old, module=build)


_renamed('KShotCellNetwork')
_renamed('KShotMobileNetV2SE')
