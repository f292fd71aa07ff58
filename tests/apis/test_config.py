"""From options to a Runner: what is refused before anything is built."""

import pytest
import torch

from mmrel.apis import build_runner, load_config, use_auto_scale_lr
from tests.commands import TINY, TINY_WCL


def test_the_root_rule_needs_our_runner(tmp_path, mmrel_scope: None) -> None:
    cfg = load_config(str(TINY_WCL), {'runner_type': 'Runner'}, str(tmp_path))
    use_auto_scale_lr(cfg)
    with pytest.raises(
        ValueError, match=r"rule='sqrt' needs mmrel's Runner: .*runner_type='Runner'"
    ):
        build_runner(cfg)


@pytest.mark.skipif(torch.cuda.is_available(), reason='mmengine takes it on a GPU')
def test_fp16_training_on_a_cpu_is_refused_with_the_alternative() -> None:
    cfg = load_config(str(TINY), {'optim_wrapper.type': 'AmpOptimWrapper'})
    with pytest.raises(ValueError, match=r"AmpOptimWrapper' needs a GPU.*AutocastOptimWrapper"):
        build_runner(cfg)
