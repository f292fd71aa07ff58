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
    """Cross entropy of the positive pair among the memory's entries.

    ``-log(exp(p / t) / (exp(p / t) + sum_k exp(s_k / t)))``, p the similarity
    of a student's and the teacher's view of one image, s_k those of the
    student's view to the memory; averaged over views and rows.
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
        # Not one tensor of K + 1 columns: that would copy the K.
        negatives = torch.logsumexp(student / self.temperature, dim=-1)
        logit = positive / self.temperature
        return (torch.logaddexp(logit, negatives) - logit).mean()

    def loss(self, student: Tensor, teacher: Tensor, positive: Tensor) -> dict[str, Tensor]:
        """:meth:`forward` as the dict of losses that mmengine sums up.

        Args:
            student (Tensor): As :meth:`forward`.
            teacher (Tensor): Not used: the target is the positive alone.
            positive (Tensor): As :meth:`forward`.

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        return dict(loss=self(student, positive))


@MODELS.register_module()
class InfoNCEWarmup(InfoNCEHead):
    """InfoNCE in the first epochs, before another loss takes over.

    It draws the embeddings apart, so that a sharp teacher has something to say
    when the main loss begins. Source: extended ReSSL (arXiv:2203.08717).

    The place in the run is the Runner's iteration, which is in the checkpoint:
    a resumed run goes on where it was.

    Args:
        epochs (float): Length of the warm-up; parts of an epoch count. 0: none.
            (An iteration-based run is one epoch: give a share of the run.)
        temperature (float): Of InfoNCE. Defaults to 0.1.
        transition (str): 'switch': InfoNCE alone, then the main loss alone.
            'linear': InfoNCE's share falls from 1 to 0 over the warm-up, and
            the main loss has the rest. Defaults to 'switch'.

    Raises:
        ValueError: If ``epochs`` is negative, ``transition`` is unknown, or the
            temperature is not positive.
    """

    # Lengths that do not follow the run's.
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
        """InfoNCE's share of the loss in the current iteration, from 0 to 1."""
        if self.epochs == 0:
            return 0.0
        done, max_iters, max_epochs = run_position('warmup.epochs')
        rest = max(1.0 - done * max_epochs / (self.epochs * max_iters), 0.0)
        return rest if self.transition == 'linear' else float(rest > 0)
