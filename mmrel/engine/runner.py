"""mmengine's Runner, with the checks that mmrel's commands promise."""

import mmengine.runner

from .due_validation import DueValidation
from .open_gradients import OpenGradients


class Runner(DueValidation, OpenGradients, mmengine.runner.Runner):
    """The Runner that :func:`mmrel.apis.build_runner` builds from a config.

    Args: as mmengine's.
    """
