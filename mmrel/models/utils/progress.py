"""The position in the run, for schedules inside the model."""

from mmengine.logging import MessageHub


def run_position(key: str) -> tuple[int, int, int]:
    """The iteration, and the run's length in iterations and in epochs.

    The Runner writes them to mmengine's message hub before each iteration. The
    iteration and the hub are in the checkpoint, so a resumed run continues at the
    same position.

    Args:
        key (str): The config key that needs them, for the error message.

    Returns:
        tuple[int, int, int]: Finished iterations, total iterations and total epochs
        (an iteration-based run counts as one epoch).

    Raises:
        RuntimeError: If no Runner has set the length of the run.
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

    With gradient accumulation (``optim_wrapper.accumulative_counts``) that is true only
    after a complete step. Without a Runner each iteration is a step.
    """
    hub = MessageHub.get_current_instance()
    return hub.get_info('iter', 0) % hub.get_info('accumulative_counts', 1) == 0


def step_ends() -> bool:
    """Whether the optimizer updates the weights at the end of this iteration."""
    hub = MessageHub.get_current_instance()
    done = hub.get_info('iter', 0) + 1
    return done % hub.get_info('accumulative_counts', 1) == 0 or done == hub.get_info('max_iters')
