"""ViTAS: train the super-transformer."""

from typing import Any

from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmrel.models.supernets.path_sampler import PathSampler
from mmrel.models.supernets.sides import cut
from mmrel.models.supernets.space_identity import SpaceIdentity
from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import ArchPath, SearchSpace

LARGEST = 'largest'


@MODELS.register_module()
class ViTAS(ImageClassifier):
    """Train all paths of a space with shared weights, one random path per step.

    A path runs on the left and the right slices of the supernet. The loss is
    computed on the sum of their logits. Source: ViTAS (arXiv:2106.13700).

    Parameters that a step's path does not use get no gradient: distributed
    training needs ``model_wrapper_cfg.find_unused_parameters=True``.

    Args:
        space (dict | SearchSpace): The search space. With ``flops_budget``, the
            space finds the probability of identity blocks itself.
        backbone (dict): The supernet's config; ``space`` is filled in.
        head (dict): Config of the classifier and its loss; ``in_channels`` and
            ``num_classes`` are filled in from the space.
        sampler (dict, optional): Arguments of :class:`PathSampler`. Defaults to
            None: its defaults.
        val_path (dict | str): The path for validation and ``tools/test.py``, or
            'largest'. Defaults to 'largest'.
        train_cfg (dict, optional): Mixup and CutMix, as in mmpretrain's
            ``ImageClassifier``.
        data_preprocessor (dict, optional): As in mmpretrain's
            ``ImageClassifier``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``.

    Raises:
        ValueError: If ``val_path`` is not a path of the space, or a given number
            of classes differs from the space's.
    """

    # Scoring a path needs no calibration: no statistics depend on the path.
    calibration_batches = 0

    def __init__(
        self,
        space: dict | SearchSpace,
        backbone: dict,
        head: dict,
        sampler: dict | None = None,
        val_path: ArchPath | str = LARGEST,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        built: Any = space if isinstance(space, SearchSpace) else SEARCH_SPACES.build(space)
        classes = built.num_classes
        for key, part in (('head', head), ('data_preprocessor', data_preprocessor or {})):
            given = part.get('num_classes')
            if given not in (None, classes):
                raise ValueError(
                    f'model.{key}.num_classes={given} differs from model.space.num_classes='
                    f'{classes}: leave it out, and it follows the space'
                )
        data_preprocessor = dict(data_preprocessor or {}, num_classes=classes)
        path: Any = built.largest() if val_path == LARGEST else val_path
        try:
            built.validate(path)
        except ValueError as error:
            raise ValueError(f'model.val_path: {error}') from error
        super().__init__(
            backbone=dict(backbone, space=built),
            head=dict(head, in_channels=built.embed_dims, num_classes=classes),
            train_cfg=train_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.space = built
        self.identity = SpaceIdentity(built)
        self.sampler = PathSampler(built, **(sampler or {}))
        self.val_path: ArchPath = dict(path)

    def path_features(self, inputs: Tensor, path: ArchPath) -> dict[str, Tensor]:
        """Features of a path on each side.

        Args:
            inputs (Tensor): Normalized images, (B, 3, H, W).
            path (ArchPath): A path of the space.

        Returns:
            dict[str, Tensor]: Features (B, w) by side.

        Raises:
            ValueError: If the path is not in the space.
        """
        return {side: self.backbone(inputs, path, side)[0] for side in self.backbone.sides}

    def path_logits(self, inputs: Tensor, path: ArchPath) -> Tensor:
        """Logits of a path on each side; a search calls this in eval mode.

        Args:
            inputs (Tensor): Normalized images, (B, 3, H, W).
            path (ArchPath): A path of the space.

        Returns:
            Tensor: (S, B, C), left before right.

        Raises:
            ValueError: If the path is not in the space.
        """
        return self.head.side_logits(self.path_features(inputs, path))

    def prepare_path(self, path: ArchPath, batches: list | None = None) -> None:
        """Do nothing: a path can be scored without preparation."""

    def subnet_state_dict(self, path: ArchPath, side: str = 'left') -> dict[str, Tensor]:
        """A copy of a path's weights for the network of ``space.subnet(path)``.

        The network of ``space.subnet(path, inherit=True)`` computes the path's
        logits with them.

        Args:
            path (ArchPath): A path of the space.
            side (str): 'left' or 'right' slices. Defaults to 'left'.

        Returns:
            dict[str, Tensor]: A state dict that loads strictly.

        Raises:
            ValueError: If the path is not in the space.
        """
        state = {
            f'backbone.{key}': value
            for key, value in self.backbone.subnet_state_dict(path, side).items()
        }
        width = state['backbone.norm.weight'].shape[0]
        weight = self.head.fc.weight.detach()
        state['head.fc.weight'] = cut(weight, (None, width), side).clone()
        state['head.fc.bias'] = self.head.fc.bias.detach().clone()
        return state

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> dict[str, Tensor]:
        """Features of ``val_path`` by side (see :meth:`path_features`)."""
        return self.path_features(inputs, self.val_path)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Loss of a training step on its random path.

        Args:
            inputs (Tensor): Shape (B, 3, H, W).
            data_samples (list[DataSample]): Samples with ``gt_label``, or with
                ``gt_score`` after Mixup or CutMix.

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        return self.head.loss(self.path_features(inputs, self.sampler.next()), data_samples)
