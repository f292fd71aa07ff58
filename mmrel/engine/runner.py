"""mmengine's Runner, with the checks that mmrel's commands promise."""

from typing import Any

import mmengine.runner
from mmengine.logging import MMLogger

from mmrel.engine.console import describe_run, filter_console


class Runner(mmengine.runner.Runner):
    """The Runner that :func:`mmrel.apis.build_runner` builds from a config.

    Its configuration, hooks and environment go to the log file alone.

    Args: as mmengine's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger.info(describe_run(self))

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """mmengine's logger, whose console shows what runs, its progress and its results."""
        logger = super().build_logger(*args, **kwargs)
        filter_console(logger)
        return logger
