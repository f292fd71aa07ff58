"""Check that a checkpoint's optimizers and schedulers fit the run that resumes it."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

_REMEDY = (
    'start a new run from its weights (load_from without --resume), or set '
    'default_hooks.strict_load=None to resume anyway'
)

# Settings that tell kinds of optimizers apart; others differ between versions of torch.
_KIND = {'lr', 'momentum', 'betas', 'alpha', 'rho', 'trust_coefficient'}


def check_run_state(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Compare what a resumed run needs in addition to its weights.

    Args:
        runner (Runner): The runner, with its optimizers built.
        checkpoint (Mapping[str, Any]): From :func:`mmrel.utils.load_checkpoint_file`.

    Raises:
        RuntimeError: If an optimizer or a scheduler is missing or does not match. The
            message is one line and says what to do.
    """
    wrapper, given = runner.optim_wrapper, checkpoint.get('optimizer')
    if given is None:
        raise RuntimeError(f'the checkpoint has no optimizer state to resume from: {_REMEDY}')
    if isinstance(wrapper, OptimWrapperDict):
        if not set(wrapper.keys()) == set(given):
            raise RuntimeError(
                f'the checkpoint has optimizers {sorted(map(str, given))[:6]}, but this run has '
                f'{sorted(wrapper.keys())}: {_REMEDY}'
            )
        for name, part in wrapper.items():
            _check_optimizer(part, given[name], f'optimizer {name!r}')
    elif wrapper is not None:
        _check_optimizer(wrapper, given, 'optimizer')
    if runner.param_schedulers:
        _check_schedulers(runner.param_schedulers, checkpoint.get('param_schedulers'))


def _check_optimizer(wrapper: Any, given: Any, what: str) -> None:
    groups = given.get('param_groups') if isinstance(given, dict) else None
    if not (
        isinstance(groups, list)
        and isinstance(given.get('state'), dict)
        and all(isinstance(g, dict) and isinstance(g.get('params'), list) for g in groups)
    ):
        raise RuntimeError(f"the checkpoint's {what} is not a valid optimizer state: {_REMEDY}")
    ours = [len(group['params']) for group in wrapper.optimizer.param_groups]
    theirs = [len(group['params']) for group in groups]
    if ours != theirs:
        raise RuntimeError(
            f"the checkpoint's {what} has {len(theirs)} groups of {sum(theirs)} parameters, but "
            f"this run's has {len(ours)} of {sum(ours)}: {_REMEDY}"
        )
    settings = [_KIND & set(group) for group in wrapper.optimizer.param_groups]
    lacking = [sorted(need - set(group)) for need, group in zip(settings, groups, strict=True)]
    if any(lacking):
        raise RuntimeError(
            f"the checkpoint's {what} is of another type: it has no {max(lacking)[:6]}: {_REMEDY}"
        )


def _check_schedulers(ours: Any, given: Any) -> None:
    if given is None:
        raise RuntimeError(f'the checkpoint has no param_schedulers to resume from: {_REMEDY}')
    if isinstance(ours, dict):
        if not isinstance(given, dict) or not set(ours) <= set(given):
            raise RuntimeError(
                f"the checkpoint's param_schedulers are not for {sorted(ours)}: {_REMEDY}"
            )
        pairs = [(ours[name], given[name]) for name in ours]
    else:
        pairs = [(ours, given)]
    for own, states in pairs:
        if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
            raise RuntimeError(
                f"the checkpoint's param_schedulers are not valid scheduler states: {_REMEDY}"
            )
        for scheduler, state in zip(own, states, strict=False):
            if not {'last_step', '_global_step'} <= set(state) or any(
                callable(getattr(type(scheduler), str(key), None)) for key in state
            ):
                raise RuntimeError(
                    "the checkpoint's param_schedulers are not valid scheduler states: "
                    f'{str(list(state))[:80]}: {_REMEDY}'
                )
