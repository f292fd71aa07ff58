"""mmrel: relational representation learning and one-shot architecture search."""

from mmrel.dependencies import check_dependencies, quiet_imports

# Before anything imports mmengine, so that a broken installation gives one message,
# not the traceback of whichever package fails first.
check_dependencies()
quiet_imports()

from mmrel.utils.safe_loading import use_safe_loading_on_import  # noqa: E402
from mmrel.utils.setup_env import let_configs_name_mmrel  # noqa: E402

from .version import __version__  # noqa: E402

use_safe_loading_on_import()
let_configs_name_mmrel()

__all__ = ['__version__']
