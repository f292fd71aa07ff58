"""Extract the features of images with a trained model."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmrel.datasets.image_list import ImageInput, ImageList

from .image_model import ImageModel, ImageRows


@dataclass
class ExtractedFeatures:
    """Features and their images.

    Attributes:
        features (ndarray): Pooled features, float32, (N, C).
        rows (list[int]): The images' positions in the input list.
        paths (list[str | None]): Their paths; None for images in memory.
        broken (list[str]): Paths or positions of the images that were skipped.
    """

    features: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]


class FeatureExtractor(ImageModel):
    """Pooled backbone features of images: files, folders, arrays or Pillow images.

    Args:
        *args: As for :class:`.ImageModel`: the model (a name, a config or a built
            model) and its weights.
        **kwargs: As for :class:`.ImageModel`.

    Raises:
        ValueError: As for :class:`.ImageModel`, for example if a number is out of
            range, the model has no backbone or no teacher, or there is no pipeline.
        Exception: Any error of :func:`.get_model`.

    Example:
        >>> import numpy as np
        >>> from mmrel.apis import FeatureExtractor
        >>> extractor = FeatureExtractor('ressl_demo_digits', pretrained=False, progress=False)
        >>> extractor(np.zeros((2, 40, 50, 3), np.uint8)).shape
        (2, 128)
    """

    output = 'features'

    def __call__(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> np.ndarray:
        """Extract only the features.

        Args:
            inputs: As for :meth:`extract`.

        Returns:
            ndarray: float32, (N, C), in the order of the inputs.
        """
        return self.extract(inputs).features

    def extract(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> ExtractedFeatures:
        """Extract the features, together with their images.

        Args:
            inputs (str | PathLike | ndarray | Image.Image | Iterable | ImageList):
                As for :class:`.ImageList`: a path, a folder, an array, a Pillow
                image, or several.

        Returns:
            ExtractedFeatures: In the order of the inputs.

        Raises:
            BrokenImageError: If an image cannot be decoded and broken images are
                not skipped, or if no image can be decoded. Like every exception
                that ends the extraction early (including Ctrl-C), it has the
                results so far as its attribute ``finished``.
            FileNotFoundError, ValueError, TypeError: If an input does not exist
                or is not an image; raised before the first image is read.
        """
        return self._run(inputs)

    def _result(self, rows: ImageRows) -> ExtractedFeatures:
        return ExtractedFeatures(rows.values, rows.rows, rows.paths, rows.broken)
