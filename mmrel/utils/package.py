"""Locate the files that belong to the package: configs, tools and the model index."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def package_root() -> Path:
    """The folder that holds ``model-index.yml``, ``configs/`` and ``tools/``.

    A built package holds them in ``mmrel/.mim``, as in OpenMMLab. A checkout,
    also one installed with ``pip install -e``, is used directly.

    Returns:
        Path: The folder.

    Raises:
        FileNotFoundError: If they are in neither place.
    """
    # In a checkout `.mim` has links to the same files.
    places = (_PACKAGE.parent, _PACKAGE / '.mim')
    for root in places:
        if (root / 'model-index.yml').is_file():
            return root
    raise FileNotFoundError(
        f'model-index.yml is neither in {places[0]} nor in {places[1]}: this copy of mmrel lacks '
        'its configs; install it with pip from the repository'
    )
