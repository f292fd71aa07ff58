"""How far a run is, for what follows a schedule inside the model."""

from mmengine.logging import MessageHub


def run_position(key: str) -> tuple[int, int, int]:
    """The iteration, and the run's length in iterations and in epochs.

    They are read from mmengine's message hub, where the Runner puts them before
    each iteration; iteration and hub are in the checkpoint, so a resumed run
    goes on at the same place.

    Args:
        key (str): The config key that needs them, for the error.

    Returns:
        tuple[int, int, int]: Iterations done, all iterations, all epochs (an
        iteration-based run is one epoch).

    Raises:
        RuntimeError: If no Runner has told the length of the run.
    """
    hub = MessageHub.get_current_instance()
    max_iters = hub.get_info('max_iters')
    if not max_iters:
        raise RuntimeError(
            f'{key} needs the length of the run, which mmengine puts in its message hub: train '
            f'with a Runner, or leave {key} out'
        )
    return hub.get_info('iter', 0), max_iters, hub.get_info('max_epochs', 1)


def step_begins() -> bool:
    """Whether the optimizer has updated the weights since the previous iteration.

    It has not if a step accumulates gradients over several iterations
    (``optim_wrapper.accumulative_counts``) and is not complete. Without a Runner each
    iteration is a step.
    """
    hub = MessageHub.get_current_instance()
    return hub.get_info('iter', 0) % hub.get_info('accumulative_counts', 1) == 0


def step_ends() -> bool:
    """Whether the optimizer updates the weights at the end of this iteration."""
    hub = MessageHub.get_current_instance()
    done = hub.get_info('iter', 0) + 1
    return done % hub.get_info('accumulative_counts', 1) == 0 or done == hub.get_info('max_iters')
