"""What the project's commands share: parsing options and reporting errors."""

from collections.abc import Callable

from mmengine.config import DictAction


class ConfigOptions(DictAction):
    """``--cfg-options a.b=value ...``: changes of a config, by dotted keys."""


def run_command(main: Callable[[], None]) -> None:
    """Run a command's ``main`` as the process's program.

    Args:
        main (Callable): Reads ``sys.argv``.
    """
    main()
