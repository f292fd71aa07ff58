"""NT-Xent: instance discrimination over the global batch."""

import torch
from mmengine.dist import get_rank
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.distributed import gather
from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_positive

from .similarity import logsumexp_similarity


@MODELS.register_module()
class InstanceContrastHead(BaseModule):
    """NT-Xent over the two views of all ranks.

    A row is a view of one of this rank's images. Its positive is the other view of
    the image. Its candidates are all other views of all ranks' images. The loss is
    the cross entropy at the temperature, averaged over the rows.
    Source: SimCLR (arXiv:2002.05709), Eq. 1; WCL's first head
    (arXiv:2110.04770).

    Extra crops (multi-crop) are rows too, but not candidates. Both views of their
    image are positives, and a crop's loss is the mean over the two. All rows, views
    and crops, have the same weight (as for SwAV's small crops, arXiv:2006.09882).

    Args:
        temperature (float): Defaults to 0.1.
        all_rank_gradient (bool): Let the gradient reach the candidates of all
            ranks. It then equals the gradient of one process with the whole batch.
            The authors' implementation propagates it only to this rank's
            candidates. Defaults to False.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1, all_rank_gradient: bool = False) -> None:
        super().__init__()
        check_positive('head', temperature=temperature)
        self.temperature = temperature
        self.all_rank_gradient = all_rank_gradient

    @full_precision
    def forward(self, views: Tensor, crops: Tensor | None = None) -> Tensor:
        """The loss of this rank's rows.

        Args:
            views (Tensor): Unit vectors of the two views, (2, b, D), b equal on
                all ranks.
            crops (Tensor, optional): Unit vectors of E extra crops,
                (E, b, D). Defaults to None: no crops.

        Returns:
            Tensor: The loss, a scalar in at least float32.
        """
        gradient = 'all' if self.all_rank_gradient else 'own'
        candidates = gather(views.transpose(0, 1), gradient).unbind(1)
        own = get_rank() * views.shape[1]
        positive = (views[0] * views[1]).sum(-1) / self.temperature
        losses = [
            self._log_sum(view, candidates, [own if i == j else None for j in (0, 1)]) - positive
            for i, view in enumerate(views)
        ]
        for crop in () if crops is None else crops:
            positive = (crop * views.mean(0)).sum(-1) / self.temperature
            losses.append(self._log_sum(crop, candidates, [None, None]) - positive)
        return torch.stack(losses).mean()

    def _log_sum(
        self, rows: Tensor, candidates: tuple[Tensor, ...], own: list[int | None]
    ) -> Tensor:
        # One view at a time, to hold at most one (b, B) matrix of logits.
        parts = [
            logsumexp_similarity(rows, columns, self.temperature, left_out)
            for columns, left_out in zip(candidates, own, strict=True)
        ]
        return torch.logaddexp(*parts)

    def loss(self, views: Tensor, crops: Tensor | None = None) -> dict[str, Tensor]:
        """:meth:`forward` as a dict of losses.

        Args:
            views (Tensor): As :meth:`forward`.
            crops (Tensor, optional): As :meth:`forward`.

        Returns:
            dict[str, Tensor]: ``loss_instance``.
        """
        return dict(loss_instance=self(views, crops))
