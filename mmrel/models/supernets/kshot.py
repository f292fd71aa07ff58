"""The K-shot supernet of any coded space."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

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
        # By skeleton.
        self._layouts: WeakKeyDictionary[nn.Module, list[_Source]] = WeakKeyDictionary()

    def backbone_config(self, path: ArchPath) -> dict:
        """Config of the stand-alone backbone of a path, with the supernet's norm."""
        config = super().backbone_config(path)
        return config if self.norm_cfg is None else dict(config, norm_cfg=self.norm_cfg)

    def _sources(self, path: ArchPath) -> list['_Source']:
        skeleton = self.skeleton(path)
        found = self._layouts.get(skeleton)
        if found is None:
            found = self._layouts[skeleton] = []
            for name, layer in _layers(skeleton):
                source = self.get_submodule(self.space.shared_key(path, name))
                for leaf, value in _own_tensors(layer):
                    if value is not None:
                        found.append(_Source(f'{name}.{leaf}', source, leaf, value.shape))
        return found

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
        for source in self._sources(path):
            key, shape = source.key, source.shape
            if source.is_parameter:
                result[key] = mix(source.tensor(), code)
            elif statistics is None:
                result[key] = source.tensor()
            elif key not in statistics or statistics[key].shape != shape:
                raise KeyError(f'these running statistics are from another path: no {key} {shape}')
            else:
                result[key] = statistics[key]
        return result

    def tensors_of_paths(self, paths: Sequence[ArchPath], codes: Tensor) -> list[dict[str, Tensor]]:
        """Mixed weights and fresh running statistics of several paths.

        A layer's weights are mixed once for all paths that use it: its K weights are
        read once, not once per path.

        Args:
            paths (Sequence[ArchPath]): P paths of the space.
            codes (Tensor): Their codes, (P, K).

        Returns:
            list[dict[str, Tensor]]: For each path, by the keys of its stand-alone
            backbone.

        Raises:
            ValueError: If a path is not in the space.
        """
        results: list[dict[str, Tensor]] = []
        rows = codes.unbind()
        users: dict[tuple, list[tuple[int, _Source]]] = {}
        for place, path in enumerate(paths):
            sources = self._sources(path)
            vectors = [x for x in sources if x.is_parameter and len(x.shape) == 1]
            results.append({**_fresh(sources), **_mix_vectors(vectors, rows[place])})
            for source in sources:
                if source.is_parameter and len(source.shape) > 1:
                    shared = source.layer, source.leaf, source.shape
                    users.setdefault(shared, []).append((place, source))
        for same in users.values():
            mixed = mix(same[0][1].tensor(), torch.stack([rows[place] for place, _ in same]))
            for (place, source), tensor in zip(same, mixed.unbind(), strict=True):
                results[place][source.key] = tensor
        return results

    def fresh_statistics(self, path: ArchPath) -> dict[str, Tensor]:
        """Initial running statistics for a path, apart from the supernet's.

        Args:
            path (ArchPath): A path of the space.

        Returns:
            dict[str, Tensor]: By the keys of the stand-alone backbone.
        """
        return _fresh(self._sources(path))

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


@dataclass(frozen=True)
class _Source:
    """Where a tensor of a skeleton comes from.

    Attributes:
        key (str): Its key in the skeleton.
        layer (nn.Module): The supernet's layer.
        leaf (str): Its name there.
        shape (torch.Size): Its shape in the skeleton.
    """

    key: str
    layer: nn.Module
    leaf: str
    shape: torch.Size

    @property
    def is_parameter(self) -> bool:
        """Whether it has K values; running statistics have one."""
        return self.leaf in self.layer._parameters

    def tensor(self) -> Tensor:
        """The first channels of the supernet's tensor, of parameters (K, *shape)."""
        value: Tensor = getattr(self.layer, self.leaf)
        full = (slice(None),) * (value.ndim - len(self.shape))
        if value.shape[len(full) :] == self.shape:
            return value
        return value[(*full, *(slice(n) for n in self.shape))]


def _fresh(sources: Sequence[_Source]) -> dict[str, Tensor]:
    """Initial running statistics."""
    return {
        source.key: source.tensor().new_full(source.shape, RUNNING_STATISTICS[source.leaf])
        for source in sources
        if not source.is_parameter
    }


def _mix_vectors(sources: Sequence[_Source], code: Tensor) -> dict[str, Tensor]:
    """Biases and the parameters of norms: many and short, so mixed as one vector."""
    if not sources:
        return {}
    mixed = mix(torch.cat([source.tensor() for source in sources], 1), code)
    parts = mixed.split([source.shape[0] for source in sources])
    return {source.key: part for source, part in zip(sources, parts, strict=True)}


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
