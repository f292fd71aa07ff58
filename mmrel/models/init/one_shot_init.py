"""Initialize K weight dictionaries from a trained supernet with K = 1."""

import torch
from torch import Tensor, nn

from mmrel.registry import WEIGHT_INITIALIZERS
from mmrel.utils.checks import check_at_least
from mmrel.utils.safe_loading import load_checkpoint
from mmrel.utils.state_dict import StateDictDifference, check_finite, weights_of


@WEIGHT_INITIALIZERS.register_module()
class OneShotInit:
    """Copy the weights of a K = 1 supernet K times, each with a little noise (ours).

    The Gaussian noise makes the dictionaries differ. Its standard deviation is
    relative to the tensor's root mean square. BN's running statistics are copied; the
    simplex-net and the training progress do not change.

    Args:
        checkpoint (str): Checkpoint of a :class:`.KShotNAS` with ``k=1`` and the same
            space.
        noise (float): Relative standard deviation of the noise. Defaults to 0.01.
        seed (int): Seed for the noise. Defaults to 0.

    Raises:
        ValueError: If ``checkpoint`` is empty or ``noise`` is negative.
    """

    def __init__(self, checkpoint: str, noise: float = 0.01, seed: int = 0) -> None:
        if not checkpoint:
            raise ValueError(
                'init_cfg.checkpoint is empty: give the trained supernet with K = 1, such as '
                '--cfg-options model.init_cfg.checkpoint=work_dirs/.../epoch_120.pth'
            )
        check_at_least(0, 'init_cfg', noise=noise)
        self.checkpoint, self.noise, self.seed = checkpoint, noise, seed

    @torch.no_grad()
    def __call__(self, module: nn.Module) -> None:
        """Fill the dictionaries of ``module``.

        Raises:
            RuntimeError: If the checkpoint lacks a tensor, has one with another shape
                (such as for another K), or contains NaN.
            ValueError: If it belongs to another search space.
        """
        content = load_checkpoint(self.checkpoint, logger='current')
        where = f'checkpoint {self.checkpoint!r}'
        given = weights_of(content, where)
        check_finite(given, where)
        # Check the space first: its message says more than a list of shapes.
        identity = getattr(module, 'identity', None)
        if identity is not None:
            identity.check_state_dict(given, 'identity.')
        own = {
            key: value
            for key, value in module.state_dict(keep_vars=True).items()
            if not key.startswith('simplex_net.') and key != 'progress'
        }
        difference = StateDictDifference()
        for key, value in own.items():
            stacked = isinstance(value, nn.Parameter)
            wanted = (1, *value.shape[1:]) if stacked else tuple(value.shape)
            if key not in given:
                difference.missing.append(key)
            elif tuple(given[key].shape) != wanted:
                difference.wrong_shape.append(
                    f'{key} (expected {wanted}, checkpoint {tuple(given[key].shape)})'
                )
        if difference:
            raise RuntimeError(
                difference.describe(f'{self.checkpoint!r} is not a K = 1 supernet of this space')
            )
        generator = torch.Generator().manual_seed(self.seed)
        for key, value in own.items():
            value.copy_(self._noisy(given[key], value, generator))

    def _noisy(self, source: Tensor, like: Tensor, generator: torch.Generator) -> Tensor:
        if not isinstance(like, nn.Parameter):
            return source
        scale = self.noise * source.square().mean().sqrt()
        noise = torch.randn(like.shape, generator=generator, dtype=source.dtype)
        return source + scale * noise
