"""ViTAS's search space of vision transformers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmrel.registry import SEARCH_SPACES
from mmrel.utils.checks import settings_of
from mmrel.utils.renamed import former_arguments, with_current_names

from .identity_probability import identity_probability as find_probability
from .space import ArchPath, SearchSpace

_PERCENTS = tuple(i / 10 for i in range(1, 11))
_FORMER = {f'{key}_percents': f'percents.{key}' for key in ('embed', 'attn', 'mlp')}


@SEARCH_SPACES.register_module()
@former_arguments(**_FORMER)
class ViTASSpace(SearchSpace):
    """Patch size, embedding width, and heads and widths of every block.

    A path is ``{'patch': 16, 'block0.heads': 3, ..., 'embed': 0.6, 'block0.attn':
    0.4, 'block0.mlp': 0.9, ...}``. Widths are fractions of the full widths,
    rounded. ``None`` heads mean an identity block, whose two widths are not used.
    The defaults are the 1 G space. Source: ViTAS (arXiv:2106.13700).

    Args:
        image_size (int): Image size in pixels. Defaults to 224.
        patch_sizes (Sequence[int]): Patch sizes in pixels. Defaults to (14, 16, 32).
        heads (Sequence[int]): Numbers of attention heads in a block. Defaults to
            (3, 6, 12, 16).
        *former (Sequence[float]): Former places of the three ``percents``.
        percents (Mapping[str, Sequence[float]], optional): Fractions of the full widths:
            ``embed`` of ``embed_dims``, ``attn`` of ``qkv_dims``, ``mlp`` of
            ``mlp_dims``. A missing key means 0.1, 0.2, ... 1.0. Defaults to
            None: all three are missing.
        embed_dims (int): Full width of the embedding. Defaults to 384.
        qkv_dims (int): Full width of q, k and v together. Defaults to 1440.
        mlp_dims (int): Full width of the MLP's hidden layer. Defaults to 1440.
        depth (int): Number of blocks, including identity blocks. Defaults to 16.
        allow_identity (bool): Whether a block may be the identity. Defaults to True.
        num_classes (int): Number of classes. Defaults to 1000.
        identity_probability (float, optional): Probability that a block of a random
            path is the identity. Defaults to None: 0.5, or the one that
            meets ``flops_budget``.
        flops_budget (Sequence[int], optional): Lower and upper bound of the mean
            FLOPs of random paths. The space finds the identity probability that
            meets them, in steps of 0.01 from 0.5, on 1,000 paths. Defaults to None.

    Raises:
        ValueError: If a setting is invalid. The message has its key, its value
            and what to do.
    """

    def __init__(
        self,
        image_size: int = 224,
        patch_sizes: Sequence[int] = (14, 16, 32),
        heads: Sequence[int] = (3, 6, 12, 16),
        *former: Sequence[float],
        percents: Mapping[str, Sequence[float]] | None = None,
        embed_dims: int = 384,
        qkv_dims: int = 1440,
        mlp_dims: int = 1440,
        depth: int = 16,
        allow_identity: bool = True,
        num_classes: int = 1000,
        identity_probability: float | None = None,
        flops_budget: Sequence[int] | None = None,
    ) -> None:
        sizes = dict(
            image_size=image_size,
            embed_dims=embed_dims,
            qkv_dims=qkv_dims,
            mlp_dims=mlp_dims,
            depth=depth,
            num_classes=num_classes,
        )
        for key, value in sizes.items():
            if type(value) is not int or value < 1:
                raise ValueError(f'space.{key}={value!r} must be a positive integer')
        self.sizes = sizes
        self.image_size, self.num_classes, self.depth = image_size, num_classes, depth
        self.embed_dims, self.qkv_dims, self.mlp_dims = embed_dims, qkv_dims, mlp_dims
        self.patch_sizes, self.heads = tuple(patch_sizes), tuple(heads)
        self.allow_identity = allow_identity
        if len(former) > len(_FORMER):
            raise TypeError(
                'ViTASSpace takes image_size, patch_sizes and heads by position, and the former '
                f'places of {", ".join(_FORMER)}: give all else by name'
            )
        if former:
            given = dict(zip(_FORMER, former, strict=False), percents=percents)
            percents = with_current_names(type(self).__name__, _FORMER, given)['percents']
        settings = settings_of(
            'space.percents', percents, embed=_PERCENTS, attn=_PERCENTS, mlp=_PERCENTS
        )
        shares = {key: _shares(f'percents.{key}', given) for key, given in settings.items()}
        self._check_patches_and_heads()

        blocks = range(depth)
        options = (*self.heads, None) if allow_identity else self.heads
        choices: dict[str, Sequence] = dict(patch=self.patch_sizes)
        choices.update({f'block{i}.heads': options for i in blocks})
        choices['embed'] = shares['embed']
        for i in blocks:
            choices[f'block{i}.attn'] = shares['attn']
            choices[f'block{i}.mlp'] = shares['mlp']
        super().__init__(choices)

        # Full widths times shares, in the order of the options.
        self._embed = np.array([round(embed_dims * p) for p in shares['embed']])
        self._qkv = np.array([round(qkv_dims * p) for p in shares['attn']])
        self._mlp = np.array([round(mlp_dims * p) for p in shares['mlp']])
        self._check_widths(shares)
        # Columns of the choices.
        self._heads_columns = slice(1, 1 + depth)
        self._attn_columns = slice(2 + depth, None, 2)
        self._mlp_columns = slice(3 + depth, None, 2)
        self._embed_column = 1 + depth

        self.identity_probability = find_probability(self, identity_probability, flops_budget)

    # --- checks at construction ---------------------------------------------

    def _check_patches_and_heads(self) -> None:
        for key, values in (('patch_sizes', self.patch_sizes), ('heads', self.heads)):
            if not values or any(type(value) is not int or value < 1 for value in values):
                raise ValueError(f'space.{key}={values} must contain positive integers')
        for patch in self.patch_sizes:
            if self.image_size % patch:
                raise ValueError(
                    f'space.patch_sizes has {patch}, which does not divide space.image_size='
                    f'{self.image_size}: choose patch sizes that do'
                )

    def _check_widths(self, shares: dict[str, tuple[float, ...]]) -> None:
        for key, widths in (('embed', self._embed), ('attn', self._qkv), ('mlp', self._mlp)):
            if widths.min() < 1:
                raise ValueError(
                    f'space.percents.{key} has {min(shares[key])}, which leaves no channels: '
                    'use larger fractions or larger full widths'
                )
        if self.embed_dims < 3:
            raise ValueError(
                f'space.embed_dims={self.embed_dims} must be at least 3: the attention scale is '
                '(embed_dims // 3) ** -0.5'
            )
        for share, qkv in zip(shares['attn'], self._qkv.tolist(), strict=True):
            for heads in self.heads:
                if qkv % (3 * heads):
                    raise ValueError(
                        f'space.percents.attn has {share}, which gives q, k and v {qkv} of '
                        f'space.qkv_dims={self.qkv_dims} channels in total: not a multiple of '
                        f'3 * {heads} (space.heads={self.heads}); change qkv_dims, the fraction or '
                        'the heads'
                    )

    # --- sampling -------------------------------------------------------------

    def sample_indices(
        self, n: int, generator: np.random.Generator, identity_probability: float | None = None
    ) -> np.ndarray:
        """Sample random paths, uniformly over all options except the identity.

        Args:
            n (int): Number of paths N.
            generator (np.random.Generator): Random generator.
            identity_probability (float, optional): Probability of an identity block.
                Defaults to None: the space's.

        Returns:
            np.ndarray: Option indices, shape (N, C), int64.
        """
        p = self.identity_probability if identity_probability is None else identity_probability
        # Drawing floats is much faster than drawing integers with varying bounds.
        draws = generator.random((n, len(self._sizes)))
        sizes = self._sizes.astype(np.float64)
        sizes[self._heads_columns] = len(self.heads)
        indices = (draws * sizes).astype(np.int64)
        if self.allow_identity:
            identity = generator.random((n, self.depth)) < p
            indices[:, self._heads_columns][identity] = len(self.heads)
        return indices

    def largest(self) -> ArchPath:
        """The path with the smallest patches, most heads, all blocks and full widths."""
        path: ArchPath = {}
        for name, options in self.choices.items():
            smallest_first = name == 'patch'
            values = [option for option in options if option is not None]
            path[name] = min(values) if smallest_first else max(values)
        return path

    def used(self, indices: np.ndarray) -> np.ndarray:
        """All entries except the widths of identity blocks, shape (N, C), bool."""
        indices = np.asarray(indices)
        used = np.ones(indices.shape, dtype=bool)
        present = self._present(indices)
        used[:, self._attn_columns] = present
        used[:, self._mlp_columns] = present
        return used

    def _present(self, indices: np.ndarray) -> np.ndarray:
        return indices[:, self._heads_columns] < len(self.heads)

    # --- costs ----------------------------------------------------------------

    def _columns(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Patch sizes, embedding widths, and sums over the blocks, (N,) each.

        The sums are the total qkv width, the total hidden width, and the number of
        blocks.
        """
        indices = np.asarray(indices)
        present = self._present(indices)
        patch = np.array(self.patch_sizes)[indices[:, 0]]
        embed = self._embed[indices[:, self._embed_column]]
        qkv = np.where(present, self._qkv[indices[:, self._attn_columns]], 0).sum(axis=1)
        mlp = np.where(present, self._mlp[indices[:, self._mlp_columns]], 0).sum(axis=1)
        return patch, embed, qkv, mlp, present.sum(axis=1)

    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates per image, as the paper counts them.

        The class token is not counted, and the classifier is counted once per
        patch, because the published budgets were computed that way.

        Args:
            indices (np.ndarray): Option indices, shape (N, C).

        Returns:
            np.ndarray: Multiply-accumulates, shape (N,), int64.
        """
        patch, d, qkv, mlp, _ = self._columns(indices)
        t = (self.image_size // patch) ** 2
        stem = 3 * d * patch**2 * t
        attention = t * d * qkv + 2 * t * t * (qkv // 3) + t * d * (qkv // 3)
        return stem + attention + 2 * t * d * mlp + t * d * self.num_classes

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of the stand-alone networks.

        Args:
            indices (np.ndarray): Option indices, shape (N, C).

        Returns:
            np.ndarray: Numbers of parameters, shape (N,), int64.
        """
        patch, d, qkv, mlp, blocks = self._columns(indices)
        t = (self.image_size // patch) ** 2
        stem = 3 * d * patch**2 + d + d + (t + 1) * d  # patches, class token, positions
        attention = (d + 1) * qkv + (qkv // 3) * d + blocks * d
        hidden = (2 * d + 1) * mlp + blocks * d
        norms = (2 * blocks + 1) * 2 * d
        return stem + attention + hidden + norms + (d + 1) * self.num_classes

    # --- networks ---------------------------------------------------------------

    def network(self, path: ArchPath) -> dict:
        """Patch size, embedding width and blocks of a path, in channels.

        Args:
            path (ArchPath): A path of this space.

        Returns:
            dict: Arguments of ``SearchedViT``: ``patch_size``, ``embed_dims`` and
            ``blocks``, a list of ``dict(num_heads=..., qkv_dims=..., mlp_dims=...)``,
            or None for an identity block.

        Raises:
            ValueError: If the path does not belong to this space.
        """
        self.validate(path)
        options: dict[str, Any] = dict(path)
        blocks: list[dict | None] = []
        for i in range(self.depth):
            heads = options[f'block{i}.heads']
            blocks.append(
                None
                if heads is None
                else dict(
                    num_heads=heads,
                    qkv_dims=round(self.qkv_dims * options[f'block{i}.attn']),
                    mlp_dims=round(self.mlp_dims * options[f'block{i}.mlp']),
                )
            )
        return dict(
            patch_size=options['patch'],
            embed_dims=round(self.embed_dims * options['embed']),
            blocks=blocks,
        )

    @property
    def attn_scale(self) -> float:
        """The super-transformer's scale of q k^T, the same for every path."""
        return (self.embed_dims // 3) ** -0.5

    def subnet(self, path: ArchPath, inherit: bool = False) -> dict:
        """Config of the stand-alone network of a path, an ``ImageClassifier``.

        Args:
            path (ArchPath): A path of this space.
            inherit (bool): Whether to use the super-transformer's attention scale,
                which weights sliced from it need. Defaults to False: the
                stand-alone network's scale.

        Returns:
            dict: Config for ``MODELS.build``.

        Raises:
            ValueError: If the path does not belong to this space.
        """
        network = self.network(path)
        backbone = dict(type='SearchedViT', img_size=self.image_size, **network)
        if inherit:
            backbone['attn_scale'] = self.attn_scale
        return dict(
            type='ImageClassifier',
            backbone=backbone,
            head=dict(
                type='LinearClsHead',
                num_classes=self.num_classes,
                in_channels=network['embed_dims'],
                init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
            ),
        )

    def describe(self) -> dict:
        """Type, choices and full widths, without how paths are sampled."""
        return dict(super().describe(), **self.sizes)


def _shares(key: str, values: Sequence[float]) -> tuple[float, ...]:
    if not isinstance(values, Sequence):
        raise ValueError(f'space.{key}={values!r} must be a list of fractions of the full width')
    shares = tuple(float(value) for value in values)
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ValueError(
            f'space.{key}={tuple(values)} must contain fractions of the full width, in (0, 1]'
        )
    return shares
