"""From pixels to what a network takes, the same in training and in prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import FULL, LARGEST_SIDE, Dataset, Levels, can_be, in_levels
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.image import Image, luminance
from cnntool.wording import counted

BLOCK_VALUES = 1 << 22

DARK, LIGHT, APART = 0.35, 0.6, 0.1
"""Means, from 0 (black) to 1 (white), up to which training images show light on dark (handwritten
digits have 0.13 to 0.31); from which images show the contrary (0.69 to 0.87), where the range that
was learned is not known; and by how much they lie beyond that range where it is."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize, make grey or coloured, scale to 0..1, and normalize: ``(x / white - mean) / std``.

    channels: 1 for grey, 3 for colour, or what the training data had.
    size: (height, width) that pictures are resized to; None for a network of any size.
    mean, std: one for each channel, of training pixels divided by their scale.
    levels: black and white among those; (0, 1) but for data that was normalized before, or of fewer
        bits than its numbers.
    brightness: the range of the means of training images, from 0 (black) to 1 (white).
    """

    channels: int
    size: tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    levels: Levels | None = None
    brightness: tuple[float, float] | None = None

    def normalized(self, x: np.ndarray, white: float) -> np.ndarray:
        """Images (N, C, H, W), divided by ``white``, as float32 (N, C, H, W) for the network."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"images are {x.shape}, expected (N, {self.channels}, H, W)")
        scale = self._column(1 / (white * np.array(self.std)))
        values = np.multiply(x, scale, dtype=np.float32)
        values -= self._column(np.array(self.mean) / self.std)
        return values

    def shown(self, values: np.ndarray) -> np.ndarray:
        """What ``normalized`` gave, as pixels from 0 to 1 again: (N, C, H, W) float32."""
        black, white = self.levels or FULL
        pixels = values * self._column(self.std) + self._column(self.mean)
        return pixels if (black, white) == FULL else (pixels - black) / (white - black)

    def picture(self, image: Image) -> np.ndarray:
        """An image of any size, depth and colour as (1, C, H, W) float32 for the network.

        Its first frame counts, and transparent pixels are white. InputError where the network
        takes neither 1 nor 3 channels.
        """
        deep = image.frames[0].pixels.dtype != np.uint8
        dtype, unit = (np.float32, 1.0) if deep else (np.uint8, 255.0)
        planes = picture_planes(image, self.channels, self.size, dtype)
        if self.levels is None or self.levels == FULL or (deep and self.has_levels(image)):
            return self.normalized(planes[None], unit)
        black, white = self.levels
        return self.normalized(planes[None] * np.float32((white - black) / unit) + black, 1.0)

    def has_levels(self, image: Image) -> bool:
        """Whether a deep image is likely to have the levels that the network learned from, such as
        12 bits in 16, and not those that its file names."""
        pixels = image.frames[0].pixels
        low, high = pixels.min() / image.white, pixels.max() / image.white
        return self.levels is not None and can_be(self.levels, low, high)

    @property
    def has_strange_levels(self) -> bool:
        """Whether it was fitted to values that no picture has, and does not say to which."""
        return self.levels is None and not all(0 <= mean <= 1 for mean in self.mean)

    @property
    def usual_brightness(self) -> float:
        """The mean of training images, from 0 (black) to 1 (white)."""
        black, white = self.levels or FULL
        return (sum(self.mean) / self.channels - black) / (white - black)

    def is_inverted(self, brightness: np.ndarray) -> np.ndarray:
        """Whether images of this mean, (N,) from 0 (black) to 1 (white), would be more like those
        of training with black for white: dark strokes on white, say, where those were light on
        black."""
        usual = self.usual_brightness
        if DARK < usual < 1 - DARK:
            return np.zeros(len(brightness), bool)
        least, most = self.brightness or ((0, 1 - LIGHT) if usual <= DARK else (LIGHT, 1))
        beyond = (brightness < least - APART) | (brightness > most + APART)
        return beyond & (least <= 1 - brightness) & (1 - brightness <= most)

    def prepared(self, data: Dataset) -> Dataset:
        """Other data in the size, colours and levels that the network takes, not yet normalized.

        InputError where its channels cannot become those, or memory is too small.
        """
        return in_levels(converted(data, self.channels, self.size), self.levels)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for a model file."""
        plain = asdict(self)
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], name: str = "the model file") -> Preprocessing:
        """What ``to_json`` gave. InputError naming the entry that is missing or no sense."""
        expected = {
            "channels": (_is_count, "a whole number from 1"),
            "size": (_is_size, "null or [height, width]"),
            "mean": (_is_numbers, "a list of numbers"),
            "std": (lambda value: _is_numbers(value, above=0), "a list of numbers over 0"),
            "levels": (lambda value: _is_range(value) and value[0] < value[1], "black and white"),
            "brightness": (_is_range, "the least and the greatest"),
        }
        plain = plain if isinstance(plain, Mapping) else {}
        for key, (is_sound, what) in expected.items():
            is_left_out = key in ("levels", "brightness") and plain.get(key) is None
            if not is_left_out and not (key in plain and is_sound(plain[key])):
                raise InputError(f"{name}: its preprocessing needs '{key}', {what}")
        channels, mean, std = plain["channels"], tuple(plain["mean"]), tuple(plain["std"])
        if not len(mean) == len(std) == channels:
            raise InputError(
                f"{name}: its preprocessing has {counted(channels, 'channel')}, "
                f"{counted(len(mean), 'mean')} and {counted(len(std), 'standard deviation')}: "
                "they must be as many"
            )
        size, levels, brightness = (
            None if plain.get(key) is None else tuple(plain[key])
            for key in ("size", "levels", "brightness")
        )
        return cls(channels, size, mean, std, levels, brightness)

    def _column(self, values: object) -> np.ndarray:
        return np.asarray(values, np.float32).reshape(self.channels, 1, 1)


def fit_preprocessing(train: Dataset) -> Preprocessing:
    """The preprocessing for a network trained on these images: their size, channels, mean and
    standard deviation per channel.

    A channel of one value has a standard deviation of 1.
    """
    channels, size = train.image_shape[0], train.image_shape[1:]
    unit, count = train.scale, train.x.size // channels
    sums, squares = np.zeros(channels), np.zeros(channels)
    origin = train.x[0, :, :1, 0].astype(np.float32)  # (C, 1): sums from here lose no digits
    step = max(1, BLOCK_VALUES // train.x[:1].size)
    for start in range(0, len(train), step):
        block = train.x[start : start + step].astype(np.float32).swapaxes(0, 1)
        planes = block.reshape(channels, -1) - origin  # (C, pixels)
        sums += planes.sum(axis=1, dtype=np.float64)
        np.square(planes, out=planes)
        squares += planes.sum(axis=1, dtype=np.float64)
    mean = (origin[:, 0] + sums / count) / unit
    std = np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0)) / unit
    std[std < 1e-6] = 1.0
    least, most = np.quantile(brightness(train), (0.01, 0.99)).tolist()
    return Preprocessing(
        channels, size, tuple(mean.tolist()), tuple(std.tolist()), train.levels, (least, most)
    )


def brightness(data: Dataset) -> np.ndarray:
    """(N,) the mean of each image, from 0 (black) to 1 (white)."""
    step = max(1, BLOCK_VALUES // data.x[:1].size)
    blocks = [data.x[start : start + step] for start in range(0, len(data), step)]
    means = np.concatenate([x.mean(axis=(1, 2, 3), dtype=np.float64) for x in blocks])
    return (means - data.black) / (data.white - data.black)


def converted(data: Dataset, channels: int | None, size: tuple[int, int] | None) -> Dataset:
    """The set in grey (1 channel) or colour (3), resized; None leaves either as it is.

    uint8 stays so where white is 255, and becomes float32 with fewer levels.

    InputError where the channels cannot become those, or the result would not fit into memory.
    """
    x = data.x
    channels, size = channels or x.shape[1], size or x.shape[2:]
    if (channels, *size) == data.image_shape:
        return data
    check_fits(data.name, len(data), (channels, *size), x.dtype.itemsize)
    if x.dtype == np.uint8 and data.white != 255:  # few levels: what lies between is kept
        x = x.astype(np.float32)
    if channels != x.shape[1]:
        x = with_channels(x, channels, data.name)
    if size != x.shape[2:]:
        x = resize(x, size, data.white)
    return replace(data, x=x)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_SIDE


def _is_size(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_count, value))


def _is_range(value: Any) -> bool:
    return _is_numbers(value) and len(value) == 2 and value[0] <= value[1]


def _is_numbers(value: object, above: float = -math.inf) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(number, int | float)
        and not isinstance(number, bool)
        and math.isfinite(number)
        and number > above
        for number in value
    )


RESIZED_VALUES = 1 << 24


def resize(x: np.ndarray, size: tuple[int, int], white: float = 255.0) -> np.ndarray:
    """Images (N, C, H, W) as (N, C, height, width) of the same dtype, uint8 or float32.

    Pillow's Lanczos filter, stretched over the pixels that an output pixel covers when the image
    becomes smaller; values stay from 0 to ``white`` where the images do. Every image is resized
    along its rows, then along its columns, so that a stack of images is one tall picture for each
    pass, and an image becomes the same alone and among others.

    Source: C. E. Duchon, Lanczos filtering in one and two dimensions, J. Appl. Meteorology, 1979.
    """
    if x.shape[2:] == tuple(size):
        return x
    out = np.empty((*x.shape[:2], *size), x.dtype)
    step = max(1, RESIZED_VALUES // max(1, x[:1].size))
    for start in range(0, len(x), step):
        block = x[start : start + step]
        rows = _along_rows(block, size[1])
        columns = _along_rows(np.ascontiguousarray(rows.swapaxes(2, 3)), size[0])
        out[start : start + step] = columns.swapaxes(2, 3)
    if x.dtype == np.float32:  # the filter overshoots at edges; uint8 is clipped by Pillow
        np.clip(out, min(0.0, x.min()), max(white, x.max()), out=out)
    return out


def _along_rows(x: np.ndarray, width: int) -> np.ndarray:
    """(N, C, H, W) to (N, C, H, width)."""
    if x.shape[3] == width:
        return x
    from PIL import Image

    rows = x.size // x.shape[3]
    picture = Image.fromarray(np.ascontiguousarray(x).reshape(rows, x.shape[3]))
    resized = np.asarray(picture.resize((width, rows), Image.Resampling.LANCZOS))
    return resized.reshape(*x.shape[:3], width)


COLOURS = {"grey": 1, "rgb": 3}
"""How many channels a colour mode has."""


def picture_planes(
    image: Image, channels: int, size: tuple[int, int] | None, dtype: type = np.uint8
) -> np.ndarray:
    """The first frame of an image as (channels, H, W): uint8 up to 255, or float32 up to 1.

    channels: 1 makes colour grey (luminance), 3 repeats grey. size: (height, width) to resize to.
    Transparent pixels show white behind them, as on a page. InputError for other channels.
    """
    frame = image.frames[0]
    pixels, white = frame.pixels, image.white
    if frame.alpha is not None:
        alpha = frame.alpha[..., None].astype(np.float32) / np.float32(white)
        blended = white - (white - pixels) * np.clip(alpha, 0, 1)
        exact = np.rint(blended) if pixels.dtype.kind == "u" else blended
        pixels = exact.astype(pixels.dtype)
    if pixels.dtype != np.uint8:
        pixels, white = pixels.astype(np.float32) / np.float32(white), 1.0
    planes = with_channels(pixels.transpose(2, 0, 1)[None], channels, "the image")
    planes = resize(planes, size, white) if size else planes
    return in_dtype(planes, white, dtype)[0]


def picture_within(image: Image, largest: int) -> np.ndarray:
    """The first frame in colour on white, (H, W, 3) uint8, of at most so many pixels a side."""
    height, width = image.frames[0].pixels.shape[:2]
    scale = min(1.0, largest / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return picture_planes(image, 3, size).transpose(1, 2, 0)


def with_channels(x: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Images (N, C, H, W) in grey (1) or in colour (3). InputError for other numbers of channels.

    Colour becomes luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601-7); grey is repeated.
    """
    count, given, height, width = x.shape
    if given == channels:
        return np.ascontiguousarray(x)
    if given == 1 and channels == 3:
        return np.repeat(x, channels, axis=1)
    if given == 3 and channels == 1:
        rows = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(count * height, width, 3)
        return luminance(rows).reshape(count, 1, height, width)
    raise InputError(
        f"{name} has {counted(given, 'channel')}, expected {channels}: grey has 1, colour 3"
    )


def in_dtype(x: np.ndarray, white: float, dtype: type) -> np.ndarray:
    """uint8 with 255 as white, or float32 with 1."""
    if x.dtype == dtype:
        return x
    if dtype == np.uint8:
        return np.rint(np.clip(x * np.float32(255 / white), 0, 255)).astype(np.uint8)
    return x.astype(np.float32) / np.float32(white)
