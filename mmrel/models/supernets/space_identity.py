"""Check that a checkpoint belongs to the model's search space."""

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmrel.spaces import SearchSpace
from mmrel.spaces.space import encode_space

_SHOWN = 8


class SpaceIdentity(nn.Module):
    """Store the space's description in the checkpoint and compare it on loading.

    Args:
        space (SearchSpace): The model's space.
    """

    description: Tensor

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.register_buffer('description', encode_space(space))
        self._expected = space.describe()

    def check_state_dict(self, state: Mapping[str, Any], prefix: str) -> None:
        """Compare with the checkpoint's space, if it has one.

        Args:
            state (Mapping[str, Any]): The checkpoint's weights.
            prefix (str): Prefix of this module's keys.

        Raises:
            ValueError: If the spaces differ; the message lists the differences.
        """
        given = state.get(f'{prefix}description')
        if given is None:
            return
        try:
            theirs = json.loads(bytes(given.tolist()).decode())
        except (AttributeError, TypeError, ValueError, RecursionError):
            theirs = None
        if not isinstance(theirs, dict):
            raise ValueError(
                f'{prefix}description of the checkpoint does not describe a search space'
            )
        ours = json.loads(json.dumps(self._expected))
        # Settings such as full widths first: there are many choices.
        differences = sorted(_differences(ours, theirs), key=lambda x: x.startswith('choices.'))
        if differences:
            more = len(differences) - _SHOWN
            differences[_SHOWN:] = [f'and {more} more'] if more > 0 else []
            raise ValueError(
                'the checkpoint is from another search space: '
                + '; '.join(differences)
                + '. Use the config that it was trained with, or another checkpoint'
            )

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        self.check_state_dict(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _differences(ours: dict, theirs: dict, prefix: str = '') -> list[str]:
    """Texts of the differences, one per key."""
    texts = []
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        mine, other = ours.get(key, 'missing'), theirs.get(key, 'missing')
        if mine == other:
            continue
        if isinstance(mine, dict) and isinstance(other, dict):
            texts += _differences(mine, other, f'{prefix}{key}.')
        else:
            texts.append(
                f'{prefix}{key} is {other!r} in the checkpoint, but {mine!r} in the config'
            )
    return texts
