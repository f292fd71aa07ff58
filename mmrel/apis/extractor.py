"""Features of images, for use outside of a training."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmrel.datasets.image_list import ImageInput, ImageList

from .image_model import ImageModel, ImageRows


@dataclass
class ExtractedFeatures:
    """Features, and which images they are of.

    Attributes:
        features (ndarray): Pooled, float32, (N, C).
        rows (list[int]): The images' places in the list that was asked for.
        paths (list[str | None]): Their paths; None for images in memory.
        broken (list[str]): The images that were left out: paths, or places.
    """

    features: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]


class FeatureExtractor(ImageModel):
    """Pooled backbone features of images: files, folders, arrays or Pillow images.

    Args:
        *args: As :class:`.ImageModel`: the model (a name, a config or a built
            model) and its weights.
        **kwargs: As :class:`.ImageModel`.

    Raises:
        ValueError: As :class:`.ImageModel`: if a number is out of range, the
            model has no backbone or no teacher, or there is no pipeline.
        Whatever :func:`.get_model` raises.

    Example:
        >>> import numpy as np
        >>> from mmrel.apis import FeatureExtractor
        >>> extractor = FeatureExtractor('ressl_demo_digits', pretrained=False, progress=False)
        >>> extractor(np.zeros((2, 40, 50, 3), np.uint8)).shape
        (2, 128)
    """

    output = 'features'

    def __call__(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> np.ndarray:
        """The features alone.

        Args:
            inputs: As :meth:`extract`.

        Returns:
            ndarray: float32, (N, C), in the order of the inputs.
        """
        return self.extract(inputs).features

    def extract(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> ExtractedFeatures:
        """Features, and which images they are of.

        Args:
            inputs (str | PathLike | ndarray | Image.Image | Iterable | ImageList):
                As :class:`ImageList`: a path, a folder, an array, a Pillow image,
                or several.

        Returns:
            ExtractedFeatures: In the order of the inputs.

        Raises:
            BrokenImageError: If an image cannot be decoded and broken ones are
                not left out, or none can be decoded. Like whatever else ends
                the extraction early (Ctrl-C too), it carries what was done
                until then as its attribute ``finished``.
            FileNotFoundError, ValueError, TypeError: If an input is not there
                or is not an image, before the first one is read.
        """
        return self._run(inputs)

    def _result(self, rows: ImageRows) -> ExtractedFeatures:
        return ExtractedFeatures(rows.values, rows.rows, rows.paths, rows.broken)
