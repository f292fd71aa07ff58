"""Which lines of a run's log the console shows: what runs, its progress, its results."""

import logging
import re

from mmengine.logging import MMLogger

# The environment, the configuration, the hooks, what the first lines (summary.py) say too, and
# remarks about mmengine's internals.
_FILE_ONLY = re.compile(
    r'\s*-{20,}\s*System environment:'
    r'|Config:\n'
    r'|Hooks will be executed in the following order'
    r'|Exp name: '
    r'|paramwise_options -- '
    r'|Checkpoints will be saved to '
    r'|Distributed training is not used, all SyncBatchNorm'
    r'|"FileClient" will be deprecated'
    r'|"HardDiskBackend" is the alias'
    r'|Failed to search registry with scope'
    r'|The prefix is not set in metric class'
    r'|\n?[\w.]+ - torch\.Size\('
    r'|Name of parameter - Initialization information'
    r'|initialize \w+ with init_cfg'
)


class ConsoleFilter(logging.Filter):
    """Keep lines that are meant for the log file off the console."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the console shows a record."""
        if record.levelno > logging.WARNING:
            return True
        return _FILE_ONLY.match(record.getMessage()) is None


def filter_console(logger: MMLogger) -> None:
    """Keep a run's configuration, hooks and environment off the console.

    Without a log file, or with ``log_level='DEBUG'``, the console shows
    everything.

    Args:
        logger (MMLogger): The run's logger.
    """
    has_file = any(isinstance(h, logging.FileHandler) for h in logger.handlers)
    for handler in logger.handlers:
        if not has_file or isinstance(handler, logging.FileHandler):
            continue
        filtered = any(isinstance(f, ConsoleFilter) for f in handler.filters)
        if handler.level > logging.DEBUG and not filtered:
            handler.filters.insert(0, ConsoleFilter())
