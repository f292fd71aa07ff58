"""WCL's graph loss: supervised contrast with weak labels."""

import torch
from mmengine.dist import get_rank
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.distributed import gather
from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_positive

from .graph import label_purity, weak_labels
from .similarity import logsumexp_similarity


@MODELS.register_module()
class WeakLabelContrastHead(BaseModule):
    """Supervised contrast within a view, with the other view's weak labels.

    The weak labels of a view are the connected components of its global batch,
    where each sample is linked to its nearest neighbor. View 1's loss uses view 2's
    labels and vice versa, because a view's own labels follow from its
    similarities. The softmax of a row is over all other samples of the same view.
    Its loss is the negative log-softmax, averaged over the other samples with its
    label. The total is the mean over rows and views.
    Source: WCL (arXiv:2110.04770).

    Extra crops (multi-crop) are rows against each of the two views, with the label
    that their image has in the other view. Their positives and candidates include
    the image itself. A crop's loss is the mean over the two views. All rows, views
    and crops, have the same weight.

    Args:
        temperature (float): Defaults to 0.1.
        all_rank_gradient (bool): Let the gradient also reach the candidates of all
            ranks. In the authors' implementation only the rows get a gradient. With
            either setting, several ranks match one process with the whole batch.
            Defaults to False.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1, all_rank_gradient: bool = False) -> None:
        super().__init__()
        check_positive('graph_head', temperature=temperature)
        self.temperature = temperature
        self.all_rank_gradient = all_rank_gradient

    @full_precision
    def forward(self, views: Tensor, crops: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The loss of this rank's rows, and the weak labels of all ranks.

        Args:
            views (Tensor): Unit vectors of the two views, (2, b, D), b equal on
                all ranks.
            crops (Tensor, optional): Unit vectors of E extra crops,
                (E, b, D). Defaults to None: no crops.

        Returns:
            tuple[Tensor, Tensor]: The loss, a scalar in at least float32, and
            each view's weak labels, (2, B), equal on all ranks.

        Raises:
            ValueError: If the global batch is a single image.
        """
        gradient = 'all' if self.all_rank_gradient else 'none'
        candidates = gather(views.transpose(0, 1), gradient).unbind(1)
        if len(candidates[0]) < 2:
            raise ValueError('the neighbor graph needs a global batch of at least 2 images')
        pairs = list(zip(views, candidates, strict=True))
        labels = torch.stack([weak_labels(rows, columns) for rows, columns in pairs])
        swapped = labels.flip(0)
        losses = [
            self._contrast(rows, columns, label, leave_out=True)
            for (rows, columns), label in zip(pairs, swapped, strict=True)
        ]
        for crop in () if crops is None else crops:
            both = [
                self._contrast(crop, columns, label, leave_out=False)
                for columns, label in zip(candidates, swapped, strict=True)
            ]
            losses.append((both[0] + both[1]) / 2)
        return torch.stack(losses).mean(), labels

    def _contrast(self, rows: Tensor, columns: Tensor, labels: Tensor, leave_out: bool) -> Tensor:
        """The loss of each row, (b,); ``leave_out`` excludes the row's own column."""
        start = get_rank() * len(rows)
        own = slice(start, start + len(rows))
        label = labels[own]
        # The mean similarity to a component is the similarity to its mean: no (b, B) mask.
        total = torch.zeros_like(columns).index_add(0, labels, columns)[label]
        number = torch.zeros_like(columns[:, 0]).index_add(
            0, labels, torch.ones_like(columns[:, 0])
        )[label]
        if leave_out:
            total, number = total - columns[own], number - 1
        positive = (rows * total).sum(1) / (number * self.temperature)
        left_out = start if leave_out else None
        return logsumexp_similarity(rows, columns, self.temperature, left_out) - positive

    def loss(
        self, views: Tensor, crops: Tensor | None = None, classes: Tensor | None = None
    ) -> dict[str, Tensor]:
        """:meth:`forward` as a dict of losses, with the labels' purity.

        Args:
            views (Tensor): As :meth:`forward`.
            crops (Tensor, optional): As :meth:`forward`.
            classes (Tensor, optional): Classes of all ranks' images, (B,), -1 if
                unknown. They do not change the loss.

        Returns:
            dict[str, Tensor]: ``loss_graph``; with classes also ``purity``, the
            mean :func:`label_purity` of the two views.
        """
        loss, labels = self(views, crops)
        losses = dict(loss_graph=loss)
        if classes is not None:
            purity = [label_purity(label, classes) for label in labels]
            losses['purity'] = torch.stack(purity).mean()
        return losses
