"""Classify images with a trained classifier."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch import nn

from mmrel.datasets.image_list import ImageInput, ImageList
from mmrel.models.utils.num_classes import model_count
from mmrel.utils.checks import check_count

from .image_model import ImageModel, ImageRows


@dataclass
class Predictions:
    """Class probabilities and their images.

    Attributes:
        scores (ndarray): Probabilities, float32, (N, C); each row sums to 1.
        rows (list[int]): The images' positions in the input list.
        paths (list[str | None]): Their paths; None for images in memory.
        broken (list[str]): Paths or positions of the images that were skipped.
        classes (tuple[str, ...], optional): Class names; None if they are unknown.
    """

    scores: np.ndarray
    rows: list[int]
    paths: list[str | None]
    broken: list[str]
    classes: tuple[str, ...] | None

    def top(self, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The best classes of each image.

        Args:
            k (int): Number of classes; all if there are fewer. Defaults to 1.

        Returns:
            tuple[ndarray, ndarray]: Class indices and scores, both (N, min(k, C)),
            best first; ties are ordered by index.

        Raises:
            ValueError: If k is not positive.
        """
        check_count(1, '', top_k=k)
        numbers = np.argsort(-self.scores, axis=1, kind='stable')[:, :k]
        return numbers, np.take_along_axis(self.scores, numbers, axis=1)

    def table(self, k: int = 1) -> dict[str, Sequence[Any]]:
        """The best classes as columns, with one row per image.

        Args:
            k (int): As for :meth:`top`. Defaults to 1.

        Returns:
            dict[str, Sequence]: ``path``, ``class`` and ``score``, then
            ``class_2``, ``score_2`` and so on. Classes are names, or indices if
            there are no names.
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
    """The class names of a model's classifier.

    Args:
        model (nn.Module): A model after :func:`.load_weights`; the checkpoint's
            ``dataset_meta`` has the names.
        classes (Sequence[str], optional): Names to use instead.

    Returns:
        tuple[str, ...], optional: None if the names are unknown. If their number in
        the checkpoint differs from the number of outputs, they are ignored, with a
        warning.

    Raises:
        ValueError: If the number of ``classes`` differs from the number of outputs.
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
        raise ValueError(f'classes do not match the classifier: {fault}')
    print_log(
        f"the checkpoint's class names do not match its classifier ({fault}): classes are numbers",
        logger='current',
        level=30,
    )
    return None


class ImagePredictor(ImageModel):
    """Class probabilities of images: files, folders, arrays or Pillow images.

    It needs a model with a classifier: ``LinearClassifier``, fine-tuned and retrained
    networks (mmpretrain's ``ImageClassifier``), or ``SimMatch``.

    Args:
        *args: As for :class:`.ImageModel`: the model (a name, a config or a built
            model) and its weights.
        classes (Sequence[str], optional): Class names. Defaults to None: the
            checkpoint's names, if it has any.
        **kwargs: As for :class:`.ImageModel`. ``teacher=True`` classifies with
            SimMatch's teacher.

    Raises:
        ValueError: If the model has no classifier or is a supernet, the checkpoint
            has only a backbone, or the number of ``classes`` is wrong; also as for
            :class:`.ImageModel`.
        Exception: Any error of :func:`.get_model`.

    Example:
        >>> import numpy as np
        >>> from mmrel.apis import ImagePredictor
        >>> name = 'ressl_resnet18-w16_1xb64-linear-coslr-20e_digits'
        >>> predictor = ImagePredictor(name, pretrained=False, progress=False)
        >>> predictor(np.zeros((40, 50, 3), np.uint8))[0]['pred_scores'].shape
        (10,)
    """

    output = 'scores'

    def __init__(self, *args: Any, classes: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.classes = known_classes(self.model, classes)

    def __call__(self, inputs: ImageInput | Iterable[ImageInput] | ImageList) -> list[dict]:
        """Classify images, with the output of mmpretrain's ``ImageClassificationInferencer``.

        Args:
            inputs: As for :meth:`predict`.

        Returns:
            list[dict]: For each image ``pred_scores`` (C,), ``pred_label``,
            ``pred_score`` and, if class names are known, ``pred_class``.
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
        """Compute the class probabilities, together with their images.

        Args:
            inputs (str | PathLike | ndarray | Image.Image | Iterable | ImageList):
                As for :class:`.ImageList`: a path, a folder, an array, a Pillow
                image, or several.

        Returns:
            Predictions: In the order of the inputs.

        Raises:
            BrokenImageError, FileNotFoundError, ValueError, TypeError: As for
                :meth:`.FeatureExtractor.extract`.
        """
        return self._run(inputs)

    def _result(self, rows: ImageRows) -> Predictions:
        return Predictions(rows.values, rows.rows, rows.paths, rows.broken, self.classes)
