"""Which depth and which alpha a picture has on its way from one file to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.choices import IMAGE_DEPTHS as DEPTHS
from cnntool.errors import InputError
from cnntool.files.formats import can_hold
from cnntool.files.image import Image
from cnntool.wording import counted


@dataclass(frozen=True)
class Depth:
    """The type that pixels are wanted in, and the brightness of white in it."""

    dtype: np.dtype
    white: float


def choose_depth(image: Image, format: str, wanted: str | None = None) -> Depth:
    """``wanted`` of DEPTHS, or the image's own, or the largest whole-number depth that fits.

    .npy takes floats in the image's own units.
    """
    own = image.frames[0].pixels.dtype.name
    if wanted is not None:
        name = DEPTHS[wanted]
    elif format == "NPY":
        name = "float32"
    elif can_hold(format, dtype=own):
        name = own
    elif own == "float32" and image.white > 255 and can_hold(format, dtype="uint16"):
        name = "uint16"
    else:
        name = "uint8"
    white = {"uint8": 255.0, "uint16": 65535.0}.get(name, image.white)
    return Depth(np.dtype(name), white)


def with_alpha(image: Image, how: str, name: str) -> Image:
    """The image with its alpha (``keep``), without (``drop``), or its last channel (``last``).

    Raises InputError, naming the image, where no channel can be alpha.
    """
    if how == "drop":
        return replace(image, frames=tuple(replace(f, alpha=None) for f in image.frames))
    if how == "keep" or any(frame.alpha is not None for frame in image.frames):
        return image
    channels = image.frames[0].pixels.shape[2]
    if channels not in (2, 4):
        raise InputError(
            f"{name} has {counted(channels, 'channel')}, none of them alpha: "
            "--alpha last needs 2 (grey, alpha) or 4 (red, green, blue, alpha)"
        )
    frames = (
        replace(f, pixels=np.ascontiguousarray(f.pixels[..., :-1]), alpha=f.pixels[..., -1])
        for f in image.frames
    )
    return replace(image, frames=tuple(frames))


def without_opaque_alpha(image: Image) -> Image:
    """The image without its alpha where that hides nothing, so that JPEG can hold it."""
    opaque = all(f.alpha is None or f.alpha.min() >= image.white for f in image.frames)
    return with_alpha(image, "drop", "") if opaque else image


def stacked(images: Sequence[Image]) -> Image:
    """Feature maps of one picture as the channels of one image."""
    if len(images) == 1:
        return images[0]
    if len(images[0].frames) > 1:
        raise InputError("feature maps of an animation do not fit into one array: write files")
    pixels = np.concatenate([image.frames[0].pixels for image in images], axis=2)
    return replace(images[0], frames=(replace(images[0].frames[0], pixels=pixels),))
