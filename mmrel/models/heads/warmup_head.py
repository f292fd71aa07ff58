"""One loss in the first epochs, another one after them."""

from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.progress import run_position
from mmrel.registry import MODELS

_TRANSITIONS = ('switch', 'linear')


@MODELS.register_module()
class WarmupHead(BaseModule):
    """A warm-up loss for some epochs, then the main loss.

    The extended ReSSL warms up with InfoNCE: it draws the embeddings apart, so
    that a sharp teacher has something to say when the relation loss begins.
    Source: arXiv:2203.08717.

    The place in the run is the Runner's iteration, which is in the checkpoint:
    a resumed run goes on where it was.

    Args:
        warmup (dict): The warm-up head's config, such as
            ``dict(type='InfoNCEHead', temperature=0.1)``.
        main (dict): The main head's config.
        epochs (float): Length of the warm-up; parts of an epoch count. 0: the
            main loss from the start. (An iteration-based run is one epoch:
            give its share of the run.)
        transition (str): 'switch': the warm-up loss alone, then the main loss
            alone. 'linear': the main loss's share rises from 0 to 1 over the
            warm-up. Defaults to 'switch'.

    Raises:
        ValueError: If ``epochs`` is negative, or ``transition`` unknown.
    """

    def __init__(self, warmup: dict, main: dict, epochs: float, transition: str = 'switch') -> None:
        super().__init__()
        if epochs < 0:
            raise ValueError(f'head.epochs={epochs} must not be negative')
        if transition not in _TRANSITIONS:
            raise ValueError(f'head.transition={transition!r} is none of {_TRANSITIONS}')
        self.warmup = MODELS.build(warmup)
        self.main = MODELS.build(main)
        self.epochs = epochs
        self.transition = transition

    def main_share(self) -> float:
        """The main loss's share in the current iteration, from 0 to 1."""
        if self.epochs == 0:
            return 1.0
        done, max_iters, max_epochs = run_position('head.epochs')
        share = min(done * max_epochs / (self.epochs * max_iters), 1.0)
        return share if self.transition == 'linear' else float(share >= 1.0)

    def loss(self, student: Tensor, teacher: Tensor, positive: Tensor) -> dict[str, Tensor]:
        """The loss of the current iteration.

        Args:
            student (Tensor): Similarities of the student's views to the
                memory, (V, B, K).
            teacher (Tensor): Those of the teacher's view, (B, K).
            positive (Tensor): Similarities of the student's views to the
                teacher's view of the same image, (V, B).

        Returns:
            dict[str, Tensor]: ``loss``.
        """
        share = self.main_share()
        losses = [
            (weight, head.loss(student, teacher, positive)['loss'])
            for weight, head in ((1.0 - share, self.warmup), (share, self.main))
            if weight > 0
        ]
        if len(losses) == 1:
            return dict(loss=losses[0][1])
        return dict(loss=sum(weight * loss for weight, loss in losses))
