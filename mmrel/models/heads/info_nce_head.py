"""InfoNCE against a memory of negatives."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.models.utils.warmup import Warmup
from mmrel.registry import MODELS
from mmrel.utils.checks import check_positive

_TRANSITIONS = ('switch', 'linear')


@MODELS.register_module()
class InfoNCEHead(BaseModule):
    """InfoNCE loss with the memory's entries as negatives.

    ``-log(exp(p / t) / (exp(p / t) + sum_k exp(s_k / t)))``, averaged over views
    and rows. p is the similarity of a student's and the teacher's view of the same
    image, s_k are the similarities of the student's view to the memory.
    Source: MoCo (arXiv:1911.05722), Eq. 1.

    Args:
        temperature (float): t. Defaults to 0.1.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        check_positive(type(self).__name__, temperature=temperature)
        self.temperature = temperature

    @full_precision
    def forward(self, student: Tensor, positive: Tensor) -> Tensor:
        """The loss of similarities to negatives and to the positive.

        Args:
            student (Tensor): Similarities of the student's views to the
                memory, (V, B, K), or of one view, (B, K).
            positive (Tensor): Similarities to the teacher's view of the same
                image, (V, B) or (B,).

        Returns:
            Tensor: The loss, a scalar in at least float32.
        """
        # Concatenating to K + 1 columns would copy all K.
        negatives = torch.logsumexp(student / self.temperature, dim=-1)
        logit = positive / self.temperature
        return (torch.logaddexp(logit, negatives) - logit).mean()

    def loss(self, student: Tensor, teacher: Tensor, positive: Tensor) -> dict[str, Tensor]:
        """:meth:`forward` as the dict of losses that mmengine sums up.

        Args:
            student (Tensor): As :meth:`forward`.
            teacher (Tensor): Not used: the positive is the only target.
            positive (Tensor): As :meth:`forward`.

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        return dict(loss=self(student, positive))


@MODELS.register_module()
class InfoNCEWarmup(InfoNCEHead):
    """InfoNCE in the first epochs, before the main loss takes over.

    It spreads the embeddings, so that a sharp teacher is informative when the main
    loss begins. Source: extended ReSSL (arXiv:2203.08717).

    Args:
        epochs (float, optional): Length in epochs, as in :class:`.Warmup`.
        temperature (float): Temperature of InfoNCE. Defaults to 0.1.
        transition (str): 'switch': only InfoNCE, then only the main loss.
            'linear': InfoNCE's weight falls from 1 to 0 over the warm-up, and
            the main loss gets the rest. Defaults to 'switch'.
        iters (int, optional): Length in iterations, instead of ``epochs``.

    Raises:
        ValueError: If the length is negative, not exactly one length is given,
            ``transition`` is unknown, or the temperature is not positive.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('epochs', 'iters')

    def __init__(
        self,
        epochs: float | None = None,
        temperature: float = 0.1,
        transition: str = 'switch',
        iters: int | None = None,
    ) -> None:
        super().__init__(temperature)
        self.length = Warmup(epochs, iters)
        if transition not in _TRANSITIONS:
            raise ValueError(f'warmup.transition={transition!r} must be one of {_TRANSITIONS}')
        self.epochs, self.iters = epochs, iters
        self.transition = transition

    def share(self) -> float:
        """InfoNCE's weight in the loss in the current iteration, from 0 to 1."""
        left = self.length.left()
        return left if self.transition == 'linear' else float(left > 0)
