"""Stop the run unless the checkpoint fits it completely."""

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmrel.engine.distributed import unwrap
from mmrel.engine.resume_state import check_run_state
from mmrel.registry import HOOKS
from mmrel.utils.state_dict import (
    adapt_state_dict,
    compare_state_dict,
    let_modules_check,
    weights_of,
)


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Raise on missing or unexpected keys, and on wrong shapes or types.

    mmengine only warns. It continues with random weights for missing keys, and with
    a fresh optimizer if the checkpoint has none. This hook checks everything that the
    Runner loads: resume, ``load_from``, testing. Remove it
    (``default_hooks.strict_load=None``) to load only part of a checkpoint.

    A test that uses only the backbone (kNN) accepts a file with only the backbone.

    Args:
        backbone_alone (bool): Whether the run uses only the backbone, so that such a
            file is accepted. Defaults to False: it is if a test loop says so.
    """

    def __init__(self, backbone_alone: bool = False) -> None:
        self.backbone_alone = backbone_alone

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model, and on resume with the run.

        Raises:
            RuntimeError: If they differ. The message lists the keys.
            ValueError: If the checkpoint is from another search space.
        """
        model = unwrap(runner.model)
        given = weights_of(checkpoint, 'the checkpoint')
        alone = self.backbone_alone or _tests_backbone(runner)
        if alone and all(key.startswith('backbone.') for key in given):
            rest = {k: v for k, v in model.state_dict().items() if not k.startswith('backbone.')}
            checkpoint['state_dict'] = given = rest | given
        let_modules_check(model, given)
        if not getattr(runner, 'resuming', False):
            # Not on resume: the optimizer's state has the old shapes.
            given = adapt_state_dict(model, given)
        difference = compare_state_dict(model.state_dict(), given)
        if difference:
            raise RuntimeError(
                difference.describe(
                    f'the checkpoint does not fit {type(model).__name__} of this config'
                )
            )
        if getattr(runner, 'resuming', False):
            check_run_state(runner, checkpoint)


def _tests_backbone(runner: Runner) -> bool:
    """Whether the Runner only tests, with a loop that uses only the backbone."""
    # The properties would build the loops.
    trains = isinstance(runner._train_loop, BaseLoop)
    return not trains and getattr(runner._test_loop, 'uses_backbone_alone', False)
