"""Cross entropy on labels and on confident pseudo-labels."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_at_least, check_within


@MODELS.register_module()
class PseudoLabelHead(BaseModule):
    """The semantic losses of FixMatch and SimMatch.

    ``L_x = CE(labels, labeled logits)``; ``L_u = mean_u 1[max p_u >= threshold]
    * CE(p_u, logits_u)``: images below the threshold count as 0 in the mean. The
    pseudo-labels p are soft (distributions over the classes).
    Sources: FixMatch (arXiv:2001.07685), SimMatch (arXiv:2203.06915).

    Args:
        threshold (float): tau, in [0, 1]. Defaults to 0.95.
        loss_weight (float): lambda_u. Defaults to 1.0.

    Raises:
        ValueError: If a value is out of range.
    """

    def __init__(self, threshold: float = 0.95, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_within('[0, 1]', 'head', threshold=threshold)
        check_at_least(0, 'head', loss_weight=loss_weight)
        self.threshold = threshold
        self.loss_weight = loss_weight
        self._accuracy: Tensor
        self.register_buffer('_accuracy', torch.zeros(()), persistent=False)

    @full_precision
    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The unweighted loss on pseudo-labels.

        Args:
            logits (Tensor): The student's logits of the strong views, (B, C).
            target (Tensor): The pseudo-labels, (B, C), without gradient.

        Returns:
            tuple[Tensor, Tensor]: The loss, a scalar in at least float32, and the
            mask of the images above the threshold, (B,), 1 or 0.
        """
        mask = (target.amax(1) >= self.threshold).to(target.dtype)
        each = -(target * F.log_softmax(logits, dim=1)).sum(1)
        return (each * mask).mean(), mask

    @full_precision
    def loss(
        self,
        labeled_logits: Tensor,
        labels: Tensor,
        logits: Tensor,
        target: Tensor,
        classes: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Both weighted losses, and the quality of the pseudo-labels.

        Args:
            labeled_logits (Tensor): The student's logits of the labeled images,
                (B_x, C).
            labels (Tensor): Their classes, (B_x,) int64.
            logits (Tensor): As for :meth:`forward`.
            target (Tensor): As for :meth:`forward`.
            classes (Tensor, optional): The unlabeled images' true classes, (B,)
                int64, -1 if unknown. They are only logged.

        Returns:
            dict[str, Tensor]: ``loss_x``, ``loss_u``, and over all ranks
            ``utilisation``, the fraction of images that pass the threshold. With
            classes also ``pseudo_label_accuracy``, the fraction of correct
            pseudo-labels among these. If no image with a known class passes, the
            last accuracy is repeated (0 at the start): a 0 would lower the logged
            mean over steps.
        """
        loss, mask = self(logits, target)
        losses = dict(
            loss_x=F.cross_entropy(labeled_logits, labels), loss_u=self.loss_weight * loss
        )
        with torch.no_grad():
            known = mask.new_zeros(len(mask)) if classes is None else (classes >= 0).to(mask.dtype)
            right = torch.zeros_like(mask) if classes is None else target.argmax(1) == classes
            counts = torch.stack([mask.mean(), (mask * known).sum(), (mask * known * right).sum()])
            # Every rank must take part, even if its images have no class.
            all_reduce(counts, 'mean')
            losses['utilisation'] = counts[0]
            if classes is not None:
                last = self._accuracy.to(counts.dtype)
                accuracy = torch.where(counts[1] > 0, counts[2] / counts[1], last)
                self._accuracy = accuracy.to(self._accuracy.dtype)
                losses['pseudo_label_accuracy'] = accuracy
        return losses
