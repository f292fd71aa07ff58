"""Models by the names of their configs."""

import copy
import difflib
import fnmatch
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from mmrel.models.utils.num_classes import complete_count
from mmrel.registry import MODELS
from mmrel.utils.released import released_weights, zoo_entries, zoo_file
from mmrel.utils.weights import load_weights

from .config import load_config, merge_options
from .config_check import check_config
from .config_places import naming_places


def list_models(pattern: str | None = None, with_pretrained: bool = False) -> list[str]:
    """The names of the models, to be used in :func:`get_model`.

    Args:
        pattern (str, optional): Of the names' beginnings, with wildcards, as
            in mmpretrain: 'ressl', 'ressl_*cifar10', '*linear*'. Defaults to
            None: all.
        with_pretrained (bool): Only those with released weights. Defaults to
            False.

    Returns:
        list[str]: Sorted.
    """
    names = fnmatch.filter(zoo_entries(), '*' if pattern is None else f'{pattern}*')
    return sorted(
        name for name in names if not with_pretrained or zoo_entries()[name].get('Weights')
    )


def _config(model: str | os.PathLike | Config, cfg_options: dict | None) -> Config:
    """The config of a name, a path, or a copy of the given one."""
    if isinstance(model, Config):
        cfg = copy.deepcopy(model)
        merge_options(cfg, cfg_options)
        return cfg
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f'model must be a name, the path of a config or a Config, not {type(model).__name__}'
        )
    return load_config(config_file(model), cfg_options)


def config_file(model: str | os.PathLike) -> str:
    """The path of a config.

    Args:
        model (str | PathLike): A name of :func:`list_models`, or a path that ends in .py.

    Returns:
        str: The path; a given one as it is.

    Raises:
        ValueError: If no model has this name; the message has the closest ones.
    """
    name = os.fspath(model)
    if name in zoo_entries():
        return zoo_file(zoo_entries()[name]['Config'])
    if not name.endswith('.py'):
        near = difflib.get_close_matches(name, zoo_entries(), n=3, cutoff=0.4)
        hint = f'did you mean {" or ".join(near)}?' if near else ''
        raise ValueError(
            f'no model is called {name!r}; {hint or "none is like it."} mmrel.apis.list_models() '
            'has all names; the path of a config ends in .py'
        )
    return name


def checkpoint_file(checkpoint: str | os.PathLike) -> str:
    """A checkpoint that a user has named, as mmengine's ``CheckpointLoader`` takes it.

    Args:
        checkpoint (str | PathLike): A path, an address, or a name of :func:`list_models`,
            which stands for its released weights unless there is a file of that name.

    Returns:
        str: A path or an address; the authors' files are fetched and converted here.

    Raises:
        ValueError: If no weights of the model are released.
        As :func:`.released_weights`, if they cannot be fetched.
    """
    given = os.fspath(checkpoint)
    if given in zoo_entries() and not os.path.exists(given):
        return released_weights(given)
    return given


def weights_of_config(cfg: Config) -> str:
    """The weights that come with a config: its ``load_from``, else the metafile's.

    Args:
        cfg (Config): Read from a file of the zoo, or with ``load_from``.

    Returns:
        str: A path or an address; the authors' files are fetched and converted here.

    Raises:
        ValueError: If there are none.
        As :func:`.released_weights`, if they cannot be fetched.
    """
    if cfg.get('load_from'):
        return cfg.load_from
    file = Path(cfg.filename).resolve() if cfg.filename else None
    for name, entry in zoo_entries().items():
        if file == Path(zoo_file(entry['Config'])).resolve():
            return released_weights(name)
    raise ValueError(
        'pretrained=True: the config is not one of the zoo and has no load_from; give the path of '
        'the checkpoint, pretrained=PATH or --pretrained PATH'
    )


@contextmanager
def _no_init_log() -> Iterator[None]:
    """mmengine lists how every single parameter was initialised; not here."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_open(init: dict) -> bool:
    return init.get('checkpoint', True) in ('', None)


def _start(model: BaseModel) -> None:
    """Initialise as at the start of a training; a checkpoint still to be given is left out."""
    for module in model.modules():
        init = getattr(module, 'init_cfg', None) or []
        inits = [init] if isinstance(init, dict) else init
        if any(map(_is_open, inits)):
            module.init_cfg = [x for x in inits if not _is_open(x)] or None
    with _no_init_log():
        model.init_weights()


def usable_device(device: str | torch.device) -> torch.device:
    """Check that tensors can be put on a device.

    Args:
        device (str | torch.device): Such as 'cpu' or 'cuda:1'.

    Returns:
        torch.device: The device.

    Raises:
        ValueError: If no model has that name.
    """
    try:
        return torch.empty(1, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"device={str(device)!r} cannot be used ({reason}); 'cpu' can") from error


def get_model(
    model: str | os.PathLike | Config,
    pretrained: bool | str | os.PathLike = False,
    device: str | torch.device | None = None,
    cfg_options: dict | None = None,
) -> BaseModel:
    """Build a model, ready for inference, without a Runner.

    Args:
        model (str | PathLike | Config): A name of :func:`list_models`, the
            path of a config, or a Config (it is not changed).
        pretrained (bool | str | PathLike): The path or address of a training
            checkpoint, which must fit the whole model, or of a published file
            with a backbone alone, which leaves the rest untrained; or a name
            of :func:`list_models`, for its released weights. True: the
            released weights (the config's ``load_from``, else ``Weights`` in
            its metafile), fetched, converted and cached as docs/zoo.md says.
            False: the start of a training, random but for what ``init_cfg``
            names. Defaults to False.
        device (str | torch.device, optional): Where it goes. Defaults to None:
            the CPU.
        cfg_options (dict, optional): Changes of the config: dotted keys and
            their values.

    Returns:
        BaseModel: In evaluation mode, with its data preprocessor; the config
        is its ``_config``, as in mmpretrain.

    Raises:
        KeyError: If a module of the config is unknown, or a key is not one of
            its settings.
        ValueError: If the name is unknown (the message has the closest ones),
            no weights are released, the device cannot be used, or the config
            leaves ``num_classes`` out and the checkpoint has no classifier.
        FileNotFoundError: If there is no such config or checkpoint.
        RuntimeError: If the checkpoint does not fit or would run code.
        OSError, ImportError: If released weights cannot be fetched.

    Example:
        >>> from mmrel.apis import get_model
        >>> model = get_model('resnet50_8xb32-linear-coslr-100e_in1k')
        >>> model.backbone.depth, model.training
        (50, False)
    """
    cfg = _config(model, cfg_options)
    if pretrained is True:
        pretrained = weights_of_config(cfg)
    elif pretrained:
        pretrained = checkpoint_file(pretrained)
    target = None if device is None else usable_device(device)
    if 'model' not in cfg:
        raise KeyError(f'the config has no section model; it has {", ".join(sorted(cfg))}')
    check_config(cfg, ('model', 'data_preprocessor'))
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        model_cfg.setdefault('data_preprocessor', copy.deepcopy(cfg.data_preprocessor))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrel'):
        complete_count(model_cfg, os.fspath(pretrained) if pretrained else None)
        with naming_places(cfg):
            built = MODELS.build(model_cfg)
        if pretrained:
            load_weights(built, os.fspath(pretrained))
        else:
            _start(built)
    built._config = cfg
    return built.to(target or 'cpu').eval()
