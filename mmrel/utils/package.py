"""Where the files outside the package are: configs, tools and the model index."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def package_root() -> Path:
    """The folder that holds ``model-index.yml``, ``configs/`` and ``tools/``.

    A built package carries them in ``mmrel/.mim``, OpenMMLab's place for them;
    a checkout, also when it is installed with ``pip install -e``, is used as
    it is.

    Returns:
        Path: The folder.

    Raises:
        FileNotFoundError: If neither has them.
    """
    # In a checkout `.mim` has links to the same files.
    places = (_PACKAGE.parent, _PACKAGE / '.mim')
    for root in places:
        if (root / 'model-index.yml').is_file():
            return root
    raise FileNotFoundError(
        f'model-index.yml is neither in {places[0]} nor in {places[1]}: this copy of mmrel lacks '
        'its configs; install it with pip, from the repository'
    )
