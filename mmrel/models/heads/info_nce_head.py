"""InfoNCE against a memory of negatives."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.models.utils.progress import run_position
from mmrel.registry import MODELS

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
        if temperature <= 0:
            raise ValueError(f'{type(self).__name__}.temperature={temperature} must be positive')
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

    The schedule follows the Runner's iteration, which is in the checkpoint, so it
    continues correctly after a resume.

    Args:
        epochs (float): Length of the warm-up in epochs, may be fractional; 0
            disables it. An iteration-based run counts as one epoch: give a
            fraction of the run.
        temperature (float): Temperature of InfoNCE. Defaults to 0.1.
        transition (str): 'switch': only InfoNCE, then only the main loss.
            'linear': InfoNCE's weight falls from 1 to 0 over the warm-up, and
            the main loss gets the rest. Defaults to 'switch'.

    Raises:
        ValueError: If ``epochs`` is negative, ``transition`` is unknown, or the
            temperature is not positive.
    """

    # Warm-up lengths do not scale with the length of the run.
    warmup_keys = ('epochs',)

    def __init__(self, epochs: float, temperature: float = 0.1, transition: str = 'switch') -> None:
        super().__init__(temperature)
        if epochs < 0:
            raise ValueError(f'warmup.epochs={epochs} must not be negative')
        if transition not in _TRANSITIONS:
            raise ValueError(f'warmup.transition={transition!r} must be one of {_TRANSITIONS}')
        self.epochs = epochs
        self.transition = transition

    def share(self) -> float:
        """InfoNCE's weight in the loss in the current iteration, from 0 to 1."""
        if self.epochs == 0:
            return 0.0
        done, max_iters, max_epochs = run_position('warmup.epochs')
        rest = max(1.0 - done * max_epochs / (self.epochs * max_iters), 0.0)
        return rest if self.transition == 'linear' else float(rest > 0)
