"""Look up and build models by the names of their configs."""

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

from mmrel.engine.plain_loader import inner_dataset
from mmrel.models.utils.derived_numbers import DataNumbers, complete_numbers
from mmrel.registry import DATASETS, MODELS
from mmrel.utils.released import released_weights, zoo_entries, zoo_file
from mmrel.utils.renamed import current_name
from mmrel.utils.safe_loading import use_safe_loading
from mmrel.utils.weights import load_weights

from .config import load_config, merge_options
from .config_check import check_config
from .config_places import naming_places


def list_models(pattern: str | None = None, with_pretrained: bool = False) -> list[str]:
    """List the names of the models, for :func:`get_model`.

    Args:
        pattern (str, optional): Pattern for the start of the names, with wildcards,
            as in mmpretrain: 'ressl', 'ressl_*cifar10', '*linear*'. Defaults to
            None: all names.
        with_pretrained (bool): List only models with released weights. Defaults to
            False.

    Returns:
        list[str]: Sorted names.
    """
    names = fnmatch.filter(zoo_entries(), '*' if pattern is None else f'{pattern}*')
    return sorted(
        name for name in names if not with_pretrained or zoo_entries()[name].get('Weights')
    )


def _config(model: str | os.PathLike | Config, cfg_options: dict | None) -> Config:
    """The config for a name or a path, or a copy of a given config."""
    if isinstance(model, Config):
        cfg = copy.deepcopy(model)
        merge_options(cfg, cfg_options)
        return cfg
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f'model must be a name, a config path or a Config, not {type(model).__name__}'
        )
    return load_config(config_file(model), cfg_options)


def config_file(model: str | os.PathLike) -> str:
    """The path of a model's config.

    Args:
        model (str | PathLike): A name of :func:`list_models`, or a path that ends in .py.
            Former names still work, with a warning.

    Returns:
        str: The config's path. A given path is returned unchanged.

    Raises:
        ValueError: If no model has this name; the message lists the closest names.
    """
    name = current_name(os.fspath(model))
    if name in zoo_entries():
        return zoo_file(zoo_entries()[name]['Config'])
    if not name.endswith('.py'):
        near = difflib.get_close_matches(name, zoo_entries(), n=3, cutoff=0.4)
        hint = f'did you mean {" or ".join(near)}?' if near else ''
        raise ValueError(
            f'no model is named {name!r}; {hint or "no name is similar."} mmrel.apis.list_models() '
            'lists all names; a config path must end in .py'
        )
    return name


def checkpoint_file(checkpoint: str | os.PathLike) -> str:
    """Resolve a checkpoint given by a user for mmengine's ``CheckpointLoader``.

    Args:
        checkpoint (str | PathLike): A path, a URL, or a name of :func:`list_models`,
            which stands for its released weights unless a file has that name.

    Returns:
        str: A path or a URL. The authors' files are downloaded and converted first.

    Raises:
        ValueError: If the model has no released weights.
        Exception: As for :func:`.released_weights`, if they cannot be downloaded.
    """
    given = os.fspath(checkpoint)
    if given in zoo_entries() and not os.path.exists(given):
        return released_weights(given)
    return given


def weights_of_config(cfg: Config) -> str:
    """The weights that belong to a config: its ``load_from``, else those in the metafile.

    Args:
        cfg (Config): A config that was read from a file of the zoo, or has
            ``load_from``.

    Returns:
        str: A path or a URL. The authors' files are downloaded and converted first.

    Raises:
        ValueError: If there are no such weights.
        Exception: As for :func:`.released_weights`, if they cannot be downloaded.
    """
    if cfg.get('load_from'):
        return cfg.load_from
    file = Path(cfg.filename).resolve() if cfg.filename else None
    for name, entry in zoo_entries().items():
        if file == Path(zoo_file(entry['Config'])).resolve():
            return released_weights(name)
    raise ValueError(
        'pretrained=True: the config is not in the zoo and has no load_from; give the path of '
        'the checkpoint, pretrained=PATH or --pretrained PATH'
    )


@contextmanager
def _no_init_log() -> Iterator[None]:
    """Silence mmengine's log of how every single parameter was initialized."""
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
    """Initialize as at the start of training; a checkpoint that is not set yet is ignored."""
    for module in model.modules():
        init = getattr(module, 'init_cfg', None) or []
        inits = [init] if isinstance(init, dict) else init
        if any(map(_is_open, inits)):
            module.init_cfg = [x for x in inits if not _is_open(x)] or None
    with _no_init_log():
        model.init_weights()


def _known_numbers(cfg: Config) -> DataNumbers | None:
    """What the type of the training set says about it, without reading it.

    CIFAR-10 has 10 classes, but a folder can have any number.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    kind = inner_dataset(dataset).get('type') if isinstance(dataset, dict) else None
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    classes = (getattr(kind, 'METAINFO', None) or {}).get('classes')
    return DataNumbers(classes=len(classes)) if classes else None


def usable_device(device: str | torch.device) -> torch.device:
    """Check that tensors can be created on a device.

    Args:
        device (str | torch.device): A device, such as 'cpu' or 'cuda:1'.

    Returns:
        torch.device: The device.

    Raises:
        ValueError: If the device cannot be used.
    """
    try:
        return torch.empty(1, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"device={str(device)!r} cannot be used ({reason}); use 'cpu'") from error


def get_model(
    model: str | os.PathLike | Config,
    pretrained: bool | str | os.PathLike = False,
    device: str | torch.device | None = None,
    cfg_options: dict | None = None,
) -> BaseModel:
    """Build a model for inference, without a Runner.

    Args:
        model (str | PathLike | Config): A name of :func:`list_models`, a config
            path, or a Config (it is not changed).
        pretrained (bool | str | PathLike): The path or URL of a training
            checkpoint, which must match the whole model, or of a published
            backbone, which leaves the rest untrained; or a name of
            :func:`list_models`, for its released weights. True: the released
            weights (the config's ``load_from``, else ``Weights`` in its
            metafile), downloaded, converted and cached as docs/zoo.md describes.
            False: the weights at the start of a training, which are random
            except for those that ``init_cfg`` loads. Defaults to False.
        device (str | torch.device, optional): The model's device. Defaults to
            None: the CPU.
        cfg_options (dict, optional): Config changes: dotted keys and their
            values.

    Returns:
        BaseModel: The model in eval mode, with its data preprocessor; its
        ``_config`` is the config, as in mmpretrain.

    Raises:
        KeyError: If a module of the config is unknown, or a key is not one of
            its settings.
        ValueError: If the name is unknown (the message lists the closest names),
            there are no released weights, the device cannot be used, or the
            config leaves out ``num_classes``, the checkpoint has no classifier, and
            the training set is a folder.
        FileNotFoundError: If the config or the checkpoint does not exist.
        RuntimeError: If the checkpoint does not match or would run code.
        OSError, ImportError: If released weights cannot be downloaded.

    Example:
        >>> from mmrel.apis import get_model
        >>> model = get_model('ressl_resnet50_8xb32-linear-coslr-100e_in1k')
        >>> model.backbone.depth, model.training
        (50, False)
    """
    use_safe_loading()  # models may load files by mmengine's initializer
    cfg = _config(model, cfg_options)
    if pretrained is True:
        pretrained = weights_of_config(cfg)
    elif pretrained:
        pretrained = checkpoint_file(pretrained)
    target = None if device is None else usable_device(device)
    if 'model' not in cfg:
        raise KeyError(f'the config has no model section; it has {", ".join(sorted(cfg))}')
    check_config(cfg, ('model', 'data_preprocessor'))
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        model_cfg.setdefault('data_preprocessor', copy.deepcopy(cfg.data_preprocessor))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrel'):
        numbers = _known_numbers(cfg)
        complete_numbers(
            model_cfg,
            os.fspath(pretrained) if pretrained else None,
            None if numbers is None else lambda: numbers,
        )
        with naming_places(cfg):
            built = MODELS.build(model_cfg)
        if pretrained:
            load_weights(built, os.fspath(pretrained))
        else:
            _start(built)
    built._config = cfg
    return built.to(target or 'cpu').eval()
