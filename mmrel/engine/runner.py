"""mmengine's Runner, with the checks that mmrel's commands promise."""

import mmengine.runner

from .run_conditions import RunConditions


class Runner(RunConditions, mmengine.runner.Runner):
    """The Runner that :func:`mmrel.apis.build_runner` builds from a config.

    Args: as mmengine's.
    """
