"""WCL: weakly supervised contrastive learning."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor

from mmrel.models.utils import full_precision, gather, pool_features
from mmrel.registry import MODELS

from .build import build_backbone_and_neck, build_neck

_normalize = full_precision(F.normalize)


@MODELS.register_module()
class WCL(BaseSelfSupervisor):
    """Contrast instances, and weak classes from the batch's neighbor graph.

    There is one backbone with two projectors, no teacher and no memory. For the
    first projector, the two views of an image are positives. For the second one,
    all images in the same component of the batch's nearest-neighbor graph are
    positives. Each view has its own forward pass, so BN statistics are per view.
    Source: WCL (arXiv:2110.04770).

    Args:
        backbone (dict): The backbone's config.
        neck (dict): Config of the first projector. ``in_channels`` defaults to the
            backbone's feature width. The authors use ``dict(type='MLPNeck',
            num_layers=3, hidden_channels=4096, out_channels=256,
            norm_cfg=dict(type='SyncBN'))``.
        head (dict): Config of the instance head. Its loss takes the two views
            (2, B, D) and the extra crops (E, B, D) or None.
        graph_head (dict, optional): Config of the graph head. Its loss takes the
            same inputs from the second projector, and the classes of all ranks'
            images, which are only logged. Defaults to None: no graph loss.
        graph_neck (dict, optional): Config of the second projector. Defaults to
            None: the same as the first.
        data_preprocessor (dict, optional): As in mmpretrain's
            ``BaseSelfSupervisor``.
        init_cfg (dict, optional): As in mmengine's ``BaseModule``.

    Raises:
        ValueError: If ``graph_neck`` is given without ``graph_head``.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        graph_head: dict | None = None,
        graph_neck: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if graph_head is None and graph_neck is not None:
            raise ValueError(
                'model.graph_neck needs model.graph_head: set it, or leave graph_neck out'
            )
        built_backbone, built_neck = build_backbone_and_neck(backbone, neck)
        super().__init__(
            backbone=built_backbone,
            neck=built_neck,
            head=head,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.graph_neck = self.graph_head = None
        if graph_head is not None:
            self.graph_neck = build_neck(graph_neck or neck, self.backbone)
            self.graph_head = MODELS.build(graph_head)

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """The embeddings of a view.

        Args:
            image (Tensor): Shape (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: Unit vectors (B, D) from each projector, in at
            least float32.
        """
        feature = pool_features(self.backbone(image))
        necks = (self.neck,) if self.graph_neck is None else (self.neck, self.graph_neck)
        return tuple(_normalize(neck(feature)[0], dim=1) for neck in necks)

    def loss(
        self, inputs: Sequence[Tensor], data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Losses of a training step.

        Args:
            inputs (Sequence[Tensor]): Two views, then any number of extra crops
                (of the image or of its neighbors), each (B, 3, H, W). Sizes may
                differ.
            data_samples (list[DataSample], optional): If they have classes, the
                purity of the weak labels is logged. The loss does not use them.

        Returns:
            dict[str, Tensor]: The heads' results: ``loss_instance``,
            ``loss_graph``, ``purity``. mmengine sums the losses.

        Raises:
            ValueError: If there are fewer than two views.
        """
        if len(inputs) < 2:
            raise ValueError(
                f'WCL needs at least two views of an image, but got {len(inputs)}: set '
                'train_dataloader.dataset.pipeline to one with MultiView'
            )
        embeddings = [
            (torch.stack(each[:2]), torch.stack(each[2:]) if len(each) > 2 else None)
            for each in zip(*map(self.embed, inputs), strict=True)
        ]
        losses = self.head.loss(*embeddings[0])
        if self.graph_head is not None:
            classes = self._classes(data_samples, inputs[0].device)
            losses.update(self.graph_head.loss(*embeddings[1], classes))
        return losses

    @staticmethod
    def _classes(samples: list[DataSample] | None, device: torch.device) -> Tensor | None:
        """Classes of all ranks' images, -1 if unknown; None if unknown for this rank."""
        if samples is None:
            return None
        known = [sample.get('gt_label') for sample in samples]
        # An image with several classes counts as one without a class.
        known = [label if label is not None and len(label) == 1 else None for label in known]
        none = torch.full((1,), -1, device=device)
        # Every rank must take part in gathering, even if its images have no class.
        everyone = gather(torch.cat([none if x is None else x.to(device) for x in known]))
        return None if all(x is None for x in known) else everyone
