"""Load a checkpoint into a built model, completely or not at all."""

from collections.abc import Mapping
from typing import Any

from .safe_loading import load_checkpoint
from .state_dict import (
    adapt_state_dict,
    check_finite,
    compare_state_dict,
    let_modules_check,
    weights_of,
)

_BACKBONE = 'backbone.'


def load_weights(model: Any, checkpoint: str) -> None:
    """Load a training checkpoint, or a published file with only a backbone.

    A file whose keys all start with ``backbone.`` (:func:`.publish.publish`)
    fills the backbone and leaves the rest unchanged. Any other file must fit the
    whole model.

    Like mmpretrain, it stores the checkpoint's ``dataset_meta`` as the model's
    ``_dataset_meta``. ``_backbone_alone`` tells whether the file had only a backbone.

    Args:
        model (nn.Module): The unwrapped model. It is changed only if the file fits.
        checkpoint (str): A path, or a URL that mmengine's ``CheckpointLoader``
            supports. Nothing that it contains is run.

    Raises:
        FileNotFoundError: If the file does not exist.
        RuntimeError: If the file is damaged, would run code, has NaN in its weights, or
            does not fit. The message lists the keys.
        ValueError: If the file is from another search space.
    """
    content = load_checkpoint(checkpoint)
    where = f'checkpoint {checkpoint!r}'
    state = weights_of(content, where)
    check_finite(state, where)
    let_modules_check(model, state)
    state = adapt_state_dict(model, state)
    expected = model.state_dict()
    backbone_alone = all(key.startswith(_BACKBONE) for key in state)
    if backbone_alone:
        expected = {k: v for k, v in expected.items() if k.startswith(_BACKBONE)}
    difference = compare_state_dict(expected, state)
    if difference:
        part = 'the backbone' if backbone_alone else 'all'
        remedy = (
            ''
            if backbone_alone
            else ". A file with only the backbone's weights (tools/model_converters/"
            'publish_model.py) fits every config with that backbone.'
        )
        title = f'{where} does not fit {part} of {type(model).__name__}'
        raise RuntimeError(difference.describe(title) + remedy)
    # Not strict: files from old torch versions lack num_batches_tracked. All else was compared.
    model.load_state_dict(state, strict=False)
    model._backbone_alone = backbone_alone
    meta = content.get('meta')
    known = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    model._dataset_meta = dict(known) if isinstance(known, Mapping) else {}
