"""Keep accumulated gradients in checkpoints.

With ``accumulative_counts`` an epoch may end, or a checkpoint by iteration may be due,
between two optimizer steps. A resumed run would lose the gradients accumulated so far.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn

from mmrel.engine.distributed import unwrap
from mmrel.utils.mixin import Mixin

_KEY = 'gradients'


class OpenGradientsHook(Hook):
    """Store the gradients of an unfinished accumulation in the checkpoint.

    :class:`mmrel.engine.runner.Runner` registers it; configs do not list it. Ranks
    accumulate separately and average at the end, so averaging the partial gradients
    gives the same result on any number of ranks.
    """

    def __init__(self) -> None:
        self._gradients: dict[str, Tensor] = {}

    def before_saving(self, runner: Runner) -> None:
        """Average the gradients if an accumulation is unfinished. Runs on every rank."""
        self._gradients = {}
        if not _is_open(runner):
            return
        for name, parameter in _trained(runner):
            if parameter.grad is not None:
                gradient = parameter.grad.detach().clone()
                all_reduce(gradient, 'mean')
                self._gradients[name] = gradient.cpu()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the gradients, on the rank that writes."""
        if self._gradients and 'optimizer' in checkpoint:
            checkpoint[_KEY] = self._gradients

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the gradients on resume."""
        if not runner._resume or _KEY not in checkpoint:
            return
        for name, parameter in _trained(runner):
            gradient = checkpoint[_KEY].get(name)
            if isinstance(gradient, Tensor) and gradient.shape == parameter.shape:
                parameter.grad = gradient.to(parameter)


class OpenGradients(Mixin):
    """Runner mixin that registers an :class:`OpenGradientsHook`.

    Before saving it calls the hooks' ``before_saving`` on every rank. mmengine calls
    ``before_save_checkpoint`` only on the rank that writes.
    """

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks and this one."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(OpenGradientsHook())

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint. Every rank must call it."""
        self.call_hook('before_saving')
        super().save_checkpoint(*args, **kwargs)


def _is_open(runner: Runner) -> bool:
    wrappers = runner.optim_wrapper
    wrappers = wrappers.values() if isinstance(wrappers, OptimWrapperDict) else [wrappers]
    return any(not wrapper.should_update() for wrapper in wrappers)


def _trained(runner: Runner) -> Iterator[tuple[str, nn.Parameter]]:
    return ((n, p) for n, p in unwrap(runner.model).named_parameters() if p.requires_grad)
