"""Build a checked Runner from a config file and command-line options."""

import os

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import RUNNERS

from mmrel.engine import init_cpu_processes
from mmrel.engine.global_batch import RULES
from mmrel.engine.runner import Runner
from mmrel.engine.schedule import check_length_option
from mmrel.utils.config_file import read_config
from mmrel.utils.safe_loading import use_safe_loading

from .config_check import check_config
from .config_places import naming_places
from .options import apply_options
from .view_color import apply_view_color

_MIXED_PRECISION = ('OptimWrapper', 'AutocastOptimWrapper', 'AmpOptimWrapper')


def merge_options(cfg: Config, cfg_options: dict | None) -> None:
    """Change a config by dotted keys, in place.

    Args:
        cfg (Config): The config.
        cfg_options (dict, optional): Dotted keys and their values; a
            :class:`.TypedText` is converted by :func:`.option_value`.

    Raises:
        KeyError: If nothing reads a key; the message lists the nearest valid keys.
    """
    options = cfg_options or {}
    apply_options(cfg, options)
    check_config(cfg, dict.fromkeys(key.split('.')[0] for key in options))


def load_config(
    path: str,
    cfg_options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config file and apply the command-line options.

    Args:
        path (str): The config file.
        cfg_options (dict, optional): Dotted keys and their values.
        work_dir (str, optional): Folder for the results. Defaults to None: the
            config's ``work_dir``, else ``work_dirs/NAME_OF_THE_CONFIG``.
        launcher (str): Job launcher. Defaults to 'none'.

    Returns:
        Config: A config for :func:`build_runner`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If the config imports a missing module.
        KeyError: If nothing reads the key of an option.
        ValueError: If the file is not a valid config, or an option changes the run's length
            but the schedule does not follow.
    """
    use_safe_loading()
    cfg = read_config(path)
    merge_options(cfg, cfg_options)
    check_length_option(cfg, cfg_options)
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', os.path.splitext(os.path.basename(path))[0])
    return cfg


def use_amp(cfg: Config) -> None:
    """Train under bf16 autocast (``--amp``)."""
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind.removeprefix('mmrel.') not in _MIXED_PRECISION:
        raise ValueError(
            f'--amp does not work with optim_wrapper.type={kind!r}: leave one of them out'
        )
    if kind == 'OptimWrapper':
        # Configs of mmseg and mmdet look up names in their own scope first.
        scope = '' if cfg.get('default_scope', 'mmrel') == 'mmrel' else 'mmrel.'
        wrapper.type = f'{scope}AutocastOptimWrapper'


def use_compile(cfg: Config) -> None:
    """Compile the backbone with torch.compile (``--compile``)."""
    if not isinstance(cfg.get('compile'), dict):
        cfg.compile = True


def _check_amp(cfg: Config) -> None:
    # mmengine only asserts this, without advice.
    if (cfg.get('optim_wrapper') or {}).get('type') == 'AmpOptimWrapper' and get_device() == 'cpu':
        raise ValueError(
            "optim_wrapper.type='AmpOptimWrapper' needs a GPU; on a CPU use 'AutocastOptimWrapper' "
            '(bf16), or `--amp` without a type'
        )


def use_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate with the global batch size (``--auto-scale-lr``).

    ``auto_scale_lr.rule`` is 'linear' (mmengine's rule, the default) or 'sqrt' (for
    LARS). The global batch includes all processes and accumulated gradients.

    Raises:
        KeyError: If the config does not give the batch size for its learning rate.
        ValueError: If the rule is unknown.
    """
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise KeyError(
            '--auto-scale-lr needs auto_scale_lr.base_batch_size in the config: the global batch '
            'size that its learning rate is for'
        )
    if cfg.auto_scale_lr.get('rule', 'linear') not in RULES:
        raise ValueError(
            f"auto_scale_lr.rule={cfg.auto_scale_lr.rule!r} must be 'linear' or 'sqrt'"
        )
    cfg.auto_scale_lr.enable = True


def test_from_val(cfg: Config) -> None:
    """If a config has no test settings, test in the same way as it validates."""
    if cfg.get('test_dataloader') is not None:
        return
    if cfg.get('val_dataloader') is None:
        raise KeyError('the config has neither test_dataloader nor val_dataloader: add one of them')
    cfg.test_dataloader = cfg.val_dataloader
    cfg.test_evaluator = cfg.val_evaluator
    cfg.test_cfg = dict(cfg.get('val_cfg') or {})
    if cfg.test_cfg.get('type'):
        cfg.test_cfg.type = cfg.test_cfg.type.replace('ValLoop', 'TestLoop')


def build_runner(cfg: Config) -> Runner:
    """Build the Runner of a config; without a GPU, processes communicate over gloo.

    Args:
        cfg (Config): From :func:`load_config`.

    Returns:
        Runner: mmrel's, or the config's ``runner_type``.

    Raises:
        KeyError: If a module is unknown, or a key is not one of its settings.
        ValueError: If the config's ``runner_type`` does not support its scaling rule,
            ``AmpOptimWrapper`` would run on a CPU, ``compile`` does not work with the model, or
            ``view_color`` is invalid.
    """
    check_config(cfg)
    apply_view_color(cfg)
    _check_amp(cfg)
    processes = (cfg.get('env_cfg') or {}).get('dist_cfg') or {}
    init_cpu_processes(cfg.get('launcher', 'none'), processes.get('timeout'))
    with naming_places(cfg):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    settings = runner.auto_scale_lr or {}
    if not isinstance(runner, Runner) and settings.get('enable') and settings.get('rule') == 'sqrt':
        raise ValueError(
            f"auto_scale_lr.rule='sqrt' needs mmrel's Runner: leave out runner_type="
            f'{cfg.runner_type!r}'
        )
    return runner


def check_batches(runner: Runner) -> None:
    """Reject a training set that is too small for one batch.

    Raises:
        ValueError: If an epoch would have no iterations.
    """
    loader = runner.train_loop.dataloader
    if len(loader) == 0:
        raise ValueError(
            f'the training set has {len(loader.dataset)} image(s), too few for a batch of '
            f'{loader.batch_size} on each of {runner.world_size} process(es): add images or lower '
            'train_dataloader.batch_size'
        )
