"""Classes of images, by a trained classifier."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch import nn

from mmrel.datasets.image_list import ImageInput, ImageList
from mmrel.models.utils.num_classes import model_count

from .image_model import ImageModel, ImageRows


@dataclass
class Predictions:
    """Class probabilities, and which images they are of.

    Attributes:
        scores (ndarray): float32, (N, C); each row sums to 1.
        rows (list[int]): The images' places in the list that was asked for.
        paths (list[str | None]): Their paths; None for images in memory.
        broken (list[str]): The images that were left out: paths, or places.
        classes (tuple[str, ...], optional): The classes' names; None: they have
            only numbers.
    """

    scores: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]
    classes: tuple[str, ...] | None

    def top(self, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The best classes of each image.

        Args:
            k (int): How many; all if there are fewer. Defaults to 1.

        Returns:
            tuple[ndarray, ndarray]: Their numbers and their scores, both
            (N, min(k, C)), best first; of equal ones the lower number.

        Raises:
            ValueError: If k is not positive.
        """
        if k < 1:
            raise ValueError(f'top_k={k} must be at least 1')
        numbers = np.argsort(-self.scores, axis=1, kind='stable')[:, :k]
        return numbers, np.take_along_axis(self.scores, numbers, axis=1)

    def table(self, k: int = 1) -> dict[str, Sequence[Any]]:
        """The best classes as columns, a row an image.

        Args:
            k (int): As :meth:`top`. Defaults to 1.

        Returns:
            dict[str, Sequence]: ``path``, ``class`` and ``score``, then
            ``class_2``, ``score_2`` and so on. Classes are names, or numbers
            where there are no names.
        """
        numbers, scores = self.top(k)
        columns: dict[str, Any] = {'path': self.paths}
        for i in range(numbers.shape[1]):
            end = f'_{i + 1}' if i else ''
            column = numbers[:, i].tolist()
            names = self.classes
            columns[f'class{end}'] = column if names is None else [names[n] for n in column]
            columns[f'score{end}'] = scores[:, i]
        return columns


def known_classes(model: nn.Module, classes: Sequence[str] | None = None) -> tuple[str, ...] | None:
    """The names of the outputs of a model's classifier.

    Args:
        model (nn.Module): After :func:`.load_weights`; the checkpoint's
            ``dataset_meta`` has the names.
        classes (Sequence[str], optional): Names to use instead.

    Returns:
        tuple[str, ...], optional: None if they are not known. A checkpoint's
        names that are not as many as the outputs are left out, with a warning.

    Raises:
        ValueError: If ``classes`` are not as many as the outputs.
    """
    given = classes is not None
    names = classes if given else (getattr(model, '_dataset_meta', None) or {}).get('classes')
    if not names:
        return None
    stated = model_count(model)
    count = len(names) if stated is None else stated[1]
    texts = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if texts and len(names) == count:
        return tuple(names)
    fault = f'{len(names)} names for {count} outputs' if texts else 'not a list of names'
    if given:
        raise ValueError(f'classes do not fit the classifier: {fault}')
    print_log(
        f"the checkpoint's class names do not fit its classifier ({fault}): classes are numbers",
        logger='current',
        level=30,
    )
    return None


class ImagePredictor(ImageModel):
    """Classes of images: files, folders, arrays or Pillow images.

    For models with a classifier: ``LinearClassifier``, fine-tuned and retrained
    networks (mmpretrain's ``ImageClassifier``), ``SimMatch``.

    Args:
        *args: As :class:`.ImageModel`: the model (a name, a config or a built
            model) and its weights.
        classes (Sequence[str], optional): The classes' names. Defaults to None:
            the checkpoint's, if it has some.
        **kwargs: As :class:`.ImageModel`. ``teacher=True`` classifies with
            SimMatch's teacher.

    Raises:
        ValueError: If the model has no classifier or is a supernet, the
            checkpoint has only a backbone, the number of ``classes`` is wrong,
            or as :class:`.ImageModel`.
        Whatever :func:`.get_model` raises.

    Example:
        >>> import numpy as np
        >>> from mmrel.apis import ImagePredictor
        >>> name = 'resnet18-w16_1xb64-linear-coslr-20e_digits'
        >>> predictor = ImagePredictor(name, pretrained=False, progress=False)
        >>> predictor(np.zeros((40, 50, 3), np.uint8))[0]['pred_scores'].shape
        (10,)
    """

    output = 'scores'

    def __init__(self, *args: Any, classes: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.classes = known_classes(self.model, classes)

    def __call__(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> list[dict]:
        """What mmpretrain's ``ImageClassificationInferencer`` returns.

        Args:
            inputs: As :meth:`predict`.

        Returns:
            list[dict]: For each image ``pred_scores`` (C,), ``pred_label``,
            ``pred_score`` and, if the classes have names, ``pred_class``.
        """
        result = self.predict(inputs)
        numbers, scores = result.top()
        rows = []
        for all_scores, number, score in zip(
            result.scores, numbers[:, 0].tolist(), scores[:, 0].tolist(), strict=True
        ):
            row = dict(pred_scores=all_scores, pred_label=number, pred_score=score)
            if self.classes is not None:
                row['pred_class'] = self.classes[number]
            rows.append(row)
        return rows

    def predict(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> Predictions:
        """Class probabilities, and which images they are of.

        Args:
            inputs (str | PathLike | ndarray | Image.Image | Iterable | ImageList):
                As :class:`ImageList`: a path, a folder, an array, a Pillow image,
                or several.

        Returns:
            Predictions: In the order of the inputs.

        Raises:
            BrokenImageError, FileNotFoundError, ValueError, TypeError: As
                :meth:`.FeatureExtractor.extract`.
        """
        return self._run(inputs)

    def _result(self, rows: ImageRows) -> Predictions:
        return Predictions(rows.values, rows.rows, rows.paths, rows.broken, self.classes)
