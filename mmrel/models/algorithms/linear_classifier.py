"""A classifier on frozen features: linear evaluation."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.classifiers import ImageClassifier
from torch import Tensor

from mmrel.models.utils import feature_dim, pool_features
from mmrel.registry import MODELS


@MODELS.register_module()
class LinearClassifier(ImageClassifier):
    """mmpretrain's classifier on a frozen backbone.

    The backbone gets no gradient and stays in eval mode, so its BN statistics do
    not change either. Only the head is trained, on the same pooled features that
    kNN and the projectors use.

    Args:
        backbone (dict): The backbone's config, with the pre-trained checkpoint
            in its ``init_cfg``.
        head (dict): The head's config. ``in_channels`` defaults to the backbone's
            feature width.
        **kwargs: As mmpretrain's ``ImageClassifier``, except ``neck``.

    Raises:
        ValueError: If the head's ``in_channels`` differs from the backbone's
            feature width.
    """

    def __init__(self, backbone: dict, head: dict, **kwargs: Any) -> None:
        built = MODELS.build(backbone)
        width = feature_dim(built)
        head = dict(head)
        if head.setdefault('in_channels', width) != width:
            raise ValueError(
                f'model.head.in_channels={head["in_channels"]}, but the backbone has {width} '
                'features: leave it out, and it follows the backbone'
            )
        super().__init__(backbone=built.requires_grad_(False), head=head, **kwargs)

    def train(self, mode: bool = True) -> 'LinearClassifier':
        """Set the head's mode; the backbone stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> Sequence[Tensor] | Tensor:
        """Features of a batch of images.

        Args:
            inputs (Tensor): Shape (B, 3, H, W).
            stage (str): As mmpretrain's: 'backbone', 'neck' (pooled) or
                'pre_logits'. Defaults to 'neck'.

        Returns:
            Sequence[Tensor] | Tensor: What the backbone returns, a tuple of
            (B, C), or what the head's ``pre_logits`` returns.
        """
        outputs = self.backbone(inputs)
        if stage == 'backbone':
            return outputs
        pooled = (pool_features(outputs),)
        return self.head.pre_logits(pooled) if stage == 'pre_logits' else pooled
