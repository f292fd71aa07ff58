"""Views of an image, which stays a Pillow image from decoding to packing.

Pillow and torchvision do the work, so the views do not depend on NumPy's integer
rules (the hue jitter of the original mmcv overflows on NumPy 2). All draws come
from torch's generator, which the dataset seeds for each sample. They need only the
image's size, and are made before it is changed (:mod:`.draws`).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torchvision.transforms as tv
import torchvision.transforms.functional as tvf
from mmcv.transforms import BaseTransform
from PIL import Image
from torch import Tensor

from mmrel.datasets.image_file import MAX_PIXELS, ImageReader
from mmrel.datasets.lazy_jpeg import LazyJpeg
from mmrel.registry import TRANSFORMS
from mmrel.utils.renamed import former_arguments

from .crop_resize import resized_crop
from .draws import ColorDraw, ViewDraw, color_row, draw_crop, draw_jitter, happens
from .host_color import change_colors, mirrored, to_image

COLOR_PLACES = ('host', 'device')


def _check_probability(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f'{name}={value} must be a probability in [0, 1]')
    return value


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Load an image as an upright Pillow image in 8-bit RGB.

    The image is read from ``img_path``, or taken from ``img``, an array or a Pillow
    image. A file that cannot be read stops the run with an error that names it. For
    how each kind of image is read, see docs/images.md.

    Args:
        background (str | Sequence[int]): As for :class:`.ImageReader`. Defaults to
            'white'.
        value_range (Sequence[float], optional): As for :class:`.ImageReader`.
            Defaults to None.
        max_pixels (int): As for :class:`.ImageReader`. Defaults to 89,478,485.
        backend_args (dict, optional): mmengine's storage backend.
        draft (bool): Let the JPEG decoder give an eighth, a quarter or half of the image
            if all crops of it are at least that many times larger than their views.
            It is faster for large images and changes the views slightly, but not their
            draws. Defaults to False.

    Raises:
        ValueError: If a setting is invalid.
    """

    def __init__(
        self,
        background: str | Sequence[int] = 'white',
        value_range: Sequence[float] | None = None,
        max_pixels: int = MAX_PIXELS,
        backend_args: dict | None = None,
        draft: bool = False,
    ) -> None:
        self.reader = ImageReader(background, value_range, max_pixels, backend_args)
        self.draft = draft

    def transform(self, results: dict) -> dict:
        """Set ``img`` (Pillow, RGB) and ``ori_shape`` (H, W)."""
        if 'img' in results:
            img = self.reader.from_memory(results['img'])
        else:
            img = self.reader.read(results['img_path'], lazy=self.draft)
        results['img'] = img
        results['ori_shape'] = (img.height, img.width)
        return results


@TRANSFORMS.register_module()
class WeakView(BaseTransform):
    """ReSSL's weak view: random resized crop and horizontal flip.

    It is also the training view of linear evaluation. Source: arXiv:2107.09282,
    Sec. 3.2.

    Args:
        size (int): Side of the view in pixels.
        scale (Sequence[float]): Range of the crop's area as a fraction of the image.
            Defaults to (0.2, 1.0).
        flip_prob (float): Probability of the flip. Defaults to 0.5.
        interpolation (str): 'bilinear' or 'bicubic'. Defaults to 'bilinear'.

    Raises:
        ValueError: If a value is out of range.
    """

    RATIO = (3 / 4, 4 / 3)
    color = 'host'

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A class with its own apply() may call them itself.
        former = [name for name in ('crop', 'flip') if callable(getattr(cls, name, None))]
        if former and makes_views_itself(cls):
            raise TypeError(
                f'{cls.__name__}.{former[0]}() is no longer called: override draw(), draw_color() '
                'or apply() instead'
            )

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.2, 1.0),
        flip_prob: float = 0.5,
        interpolation: str = 'bilinear',
    ) -> None:
        if size < 1:
            raise ValueError(f'size={size} must be a positive number of pixels')
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(
                f'scale={scale} must be two fractions of the area, 0 < low <= high <= 1'
            )
        self.size = [size, size]
        self.scale = tuple(scale)
        self.flip_prob = _check_probability('flip_prob', flip_prob)
        self.interpolation = tv.InterpolationMode(interpolation)

    def draw(self, size: tuple[int, int]) -> ViewDraw:
        """Draw a view.

        Args:
            size (tuple[int, int]): Width and height of the image.

        Returns:
            ViewDraw: What :meth:`apply` does.
        """
        crop = draw_crop(size, self.scale, self.RATIO)
        color = self.draw_color()
        return ViewDraw(crop, happens(self.flip_prob), color)

    def draw_color(self) -> ColorDraw:
        """Draw the changes of the colors: none."""
        return ColorDraw()

    def apply(self, img: Image.Image, draw: ViewDraw) -> Image.Image:
        """Make a drawn view of an image, with the colors that the host changes.

        Args:
            img (Image.Image): The image.
            draw (ViewDraw): From :meth:`draw`.

        Returns:
            Image.Image: The view.
        """
        # Not the method of a subclass, which may call this one.
        return to_image(WeakView.tensor(self, img, draw).numpy())

    def tensor(self, img: Image.Image, draw: ViewDraw) -> Tensor:
        """The same as :meth:`apply`, as a tensor.

        Args:
            img (Image.Image): The image.
            draw (ViewDraw): From :meth:`draw`.

        Returns:
            Tensor: (3, H, W) uint8.
        """
        colors = color_row(draw.color).tolist() if draw.color.changes else None
        return self.made(img, draw.crop.box, draw.flip, colors)

    def made(
        self, img: Image.Image, box: Sequence[int], flip: bool, colors: Sequence[float] | None
    ) -> Tensor:
        """The same as :meth:`tensor`, for a draw in numbers.

        Args:
            img (Image.Image): The image.
            box (Sequence[int]): Top, left, height and width of the crop, in the image's
                original pixels.
            flip (bool): Whether the view is mirrored.
            colors (Sequence[float], optional): From :func:`.color_row`; None: unchanged.

        Returns:
            Tensor: (3, H, W) uint8.
        """
        planes = resized_crop(img, box, self.size[0], self.interpolation.value)
        if self.color == 'host' and colors is not None:
            planes = change_colors(planes, colors)
        return torch.from_numpy(mirrored(planes) if flip else planes)

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it.

        If the device changes the colors, ``colors`` is their row (:func:`.color_row`).
        """
        draw = self.draw(results['img'].size)
        decode_at_least(results['img'], [self], [draw.crop.box])
        results['img'] = self.apply(results['img'], draw)
        if self.color == 'device':
            results['colors'] = color_row(draw.color)
        return results


def makes_views_itself(kind: type[WeakView]) -> bool:
    """Whether a kind of :class:`WeakView` changes no pixels in methods of its own.

    Args:
        kind (type): A class.

    Returns:
        bool: If not, its views cannot be made by :meth:`WeakView.tensor` or on the device.
    """
    own = (kind.transform, kind.apply, kind.tensor, kind.made)
    return own == (WeakView.transform, WeakView.apply, WeakView.tensor, WeakView.made)


def decode_at_least(
    img: Image.Image, steps: Sequence[WeakView], boxes: Sequence[Sequence[int]]
) -> None:
    """Let a lazy image be decoded at the smallest size that all views allow.

    Args:
        img (Image.Image): The image; only a :class:`.LazyJpeg` is changed.
        steps (Sequence[WeakView]): The views.
        boxes (Sequence[Sequence[int]]): Their crops: top, left, height and width.
    """
    if isinstance(img, LazyJpeg):
        img.shrink(min(min(box[2:]) / step.size[0] for step, box in zip(steps, boxes, strict=True)))


@TRANSFORMS.register_module()
@former_arguments(grey_prob='gray_prob')
class ContrastiveView(WeakView):
    """The strong view of ReSSL and MoCo v2.

    Crop, color jitter, grayscale, blur, solarization (off by default), flip. Source:
    arXiv:2107.09282, Sec. 3.2.

    Args:
        size (int): Side of the view in pixels.
        scale (Sequence[float]): As for :class:`WeakView`.
        flip_prob (float): Probability of the flip. Defaults to 0.5.
        interpolation (str): As for :class:`WeakView`.
        jitter (Sequence[float]): Strengths of brightness, contrast, saturation
            and hue. Defaults to (0.4, 0.4, 0.4, 0.1).
        jitter_prob (float): Probability of the jitter. Defaults to 0.8.
        gray_prob (float): Probability of grayscale. Defaults to 0.2.
        blur_prob (float): Probability of the blur; use 0 for small images.
            Defaults to 0.5.
        blur_sigma (Sequence[float]): Range of the blur's standard deviation in
            pixels. Defaults to (0.1, 2.0).
        solarize_prob (float): Probability of solarization, as in BYOL
            (arXiv:2006.07733). Defaults to 0.0.
        solarize_threshold (int): Values from here on are inverted. Defaults to
            128.
        color (str): Where the colors are changed: on the 'host', or on the 'device' by
            the data preprocessor. The config's ``view_color`` sets it for all views.
            Defaults to 'host'.
    """

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.2, 1.0),
        flip_prob: float = 0.5,
        interpolation: str = 'bilinear',
        jitter: Sequence[float] = (0.4, 0.4, 0.4, 0.1),
        jitter_prob: float = 0.8,
        gray_prob: float = 0.2,
        blur_prob: float = 0.5,
        blur_sigma: Sequence[float] = (0.1, 2.0),
        solarize_prob: float = 0.0,
        solarize_threshold: int = 128,
        color: str = 'host',
    ) -> None:
        super().__init__(size, scale, flip_prob, interpolation)
        if len(jitter) != 4:
            raise ValueError(
                f'jitter={jitter} must be four numbers: brightness, contrast, saturation, hue'
            )
        self.jitter = tv.ColorJitter(*jitter)
        self.jitter_prob = _check_probability('jitter_prob', jitter_prob)
        self.gray_prob = _check_probability('gray_prob', gray_prob)
        self.blur_prob = _check_probability('blur_prob', blur_prob)
        self.blur_sigma = tuple(blur_sigma)
        self.solarize_prob = _check_probability('solarize_prob', solarize_prob)
        self.solarize_threshold = solarize_threshold
        if color not in COLOR_PLACES:
            raise ValueError(f"color={color!r} must be 'host' or 'device'")
        self.color = color

    def draw_color(self) -> ColorDraw:
        """Draw the changes of the colors."""
        jitter = draw_jitter(self.jitter) if happens(self.jitter_prob) else {}
        gray = happens(self.gray_prob)
        sigma = solarize = None
        if happens(self.blur_prob):
            sigma = torch.empty(()).uniform_(*self.blur_sigma).item()
        if happens(self.solarize_prob):
            solarize = self.solarize_threshold
        return ColorDraw(**jitter, gray=gray, sigma=sigma, solarize=solarize)


@TRANSFORMS.register_module()
class CentralView(BaseTransform):
    """The view for evaluation: resize the short side, crop the center.

    Args:
        size (int): Side of the crop in pixels.
        resize (int, optional): Length of the short side before the crop (such as
            256 for a crop of 224). Defaults to None: equal to ``size``.
        interpolation (str): 'bilinear' or 'bicubic'. Defaults to 'bilinear'.

    Raises:
        ValueError: If ``resize`` is smaller than ``size``.
    """

    def __init__(
        self, size: int, resize: int | None = None, interpolation: str = 'bilinear'
    ) -> None:
        resize = size if resize is None else resize
        if resize < size:
            raise ValueError(f'resize={resize} must be at least size={size}')
        self.size = size
        self.resize = resize
        self.interpolation = tv.InterpolationMode(interpolation)

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with its central view."""
        img = results['img']
        if min(img.size) != self.resize:
            img = tvf.resize(img, self.resize, self.interpolation)
        if img.size != (self.size, self.size):
            img = tvf.center_crop(img, self.size)
        results['img'] = img
        return results
