"""Configs read once, and models built from them without their first weights."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config
from torch import nn

from mmrel.models.init.first_weights import NoFirstWeights
from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers
from mmrel.registry import MODELS

ROOT = Path(__file__).parents[1] / 'configs'
# All but those of mmseg and mmdet, which tests/downstream reads.
CONFIGS = sorted(
    path for path in ROOT.rglob('*.py') if not {'_base_', 'downstream'} & set(path.parts)
)


@functools.cache
def _read(path: Path) -> Config:
    return Config.fromfile(path)


def read_config(path: Path) -> Config:
    """The config of a file; a copy of what was read the first time."""
    return copy.deepcopy(_read(path))


def build_model(cfg: Config) -> nn.Module:
    """A config's model, whole but for the values of its weights."""
    model = dict(cfg.model)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    complete_numbers(model, None, lambda: DataNumbers(10, 40))  # where the folder decides
    with NoFirstWeights():
        return MODELS.build(model)
