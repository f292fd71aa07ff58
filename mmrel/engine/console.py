"""Which lines of a run's log the console shows: what runs, its progress, its results."""

import logging
import os
import re
from collections.abc import Iterator
from typing import Any

from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

# The environment, the configuration, the hooks, and remarks about mmengine's internals.
_FILE_ONLY = re.compile(
    r'\s*-{20,}\s*System environment:'
    r'|Config:\n'
    r'|Hooks will be executed in the following order'
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


def _roots(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get('data_root'), str):
            yield node['data_root']
        for value in node.values():
            yield from _roots(value)


def _data(loader: Any) -> str:
    if not isinstance(loader, dict) or not isinstance(loader.get('dataset'), dict):
        return 'given'
    roots = [root for root in dict.fromkeys(_roots(loader['dataset'])) if root]
    return ' and '.join(roots) or str(loader['dataset'].get('type'))


def describe_run(runner: Runner) -> str:
    """Describe a run in three lines: the model, its data, and where results go.

    Args:
        runner (Runner): The runner.

    Returns:
        str: Text for the log.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    parameters = sum(p.numel() for p in model.parameters())
    config = os.path.basename(runner.cfg.filename or 'config')
    processes = f'{runner.world_size} processes, ' if runner.world_size > 1 else ''
    data = [
        f'{name}: {_data(runner.cfg.get(f"{name}_dataloader"))}'
        for name in ('train', 'val', 'test')
        if runner.cfg.get(f'{name}_dataloader') is not None
    ]
    log = getattr(runner.logger, 'log_file', None)
    return '\n  '.join(
        [
            f'{config}: {type(model).__name__}, {parameters:,} parameters, '
            f'{processes}on {get_device()}',
            f'data: {"; ".join(data) or "none"}',
            f'results: {runner.work_dir}; all settings: {log}',
        ]
    )
