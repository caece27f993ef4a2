"""NumPy's .npy files as images: what passes between two commands without loss.

Source: the format's description in numpy.lib.format.
"""

from __future__ import annotations

import warnings
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import (
    STRIP_ROWS,
    WHITE,
    Frame,
    Image,
    ImageInfo,
    luminance,
    strips_of_samples,
)
from cnntool.files.streams import Reading, check_finite, cut_short, damaged, fill


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the header says: (H, W) is grey, (H, W, C) has C channels."""
    (height, width, channels), dtype, _ = _read_header(stream, reading.name)
    depth = {"uint8": "8-bit", "uint16": "16-bit"}.get(dtype.name, "float")
    return ImageInfo("NPY", width, height, channels, depth, 1, dtype.name)


def read(stream: BinaryIO, reading: Reading) -> Image:
    """The array as (H, W, C): uint8 and uint16 as they are, all else as float32.

    The white of float32 is what the caller says. Every channel counts as colour.
    """
    name = reading.name
    shape, dtype, by_columns = _read_header(stream, name)
    height, width, channels = shape
    reading.check_size(width, height)
    kind = np.dtype(dtype.name) if dtype.name in WHITE else np.dtype(np.float32)
    pixels = np.empty(shape, kind)
    if by_columns:
        stored = np.empty(height * width * channels, dtype)
        fill(stream, stored, name)
        _convert(stored.reshape(shape, order="F"), pixels, name)
    elif dtype == kind:
        fill(stream, pixels, name)
    else:
        for top in range(0, height, STRIP_ROWS):
            rows = np.empty((min(STRIP_ROWS, height - top), width, channels), dtype)
            fill(stream, rows, name)
            _convert(rows, pixels[top : top + STRIP_ROWS], name)
    if stream.read(1):
        raise damaged(name, f"it holds more than the {shape} values its header says")
    if kind == np.float32:
        check_finite(pixels, name)
    if reading.gray:
        pixels = _to_gray(pixels, name)
    return Image((Frame(pixels),), WHITE.get(kind.name, reading.float_white), "NPY")


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """float32, (H, W) for one channel, else (H, W, C); alpha becomes the last channel."""
    frame = image.frames[0]
    height, width, channels = frame.pixels.shape
    total = channels + (frame.alpha is not None)
    header = {
        "descr": "<f4",
        "fortran_order": False,
        "shape": (height, width) if total == 1 else (height, width, total),
    }
    np.lib.format.write_array_header_1_0(file, header)
    for rows in strips_of_samples(frame, "<f4"):
        file.write(memoryview(rows).cast("B"))


def _read_header(stream: BinaryIO, name: str) -> tuple[tuple[int, int, int], np.dtype, bool]:
    """(height, width, channels), the dtype in the file, and whether columns come first."""
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise InputError(f"{name} is a .npy file of an unknown version: save it with numpy.save")
    try:
        with warnings.catch_warnings():  # a malformed header may warn before it fails
            warnings.simplefilter("ignore")
            shape, by_columns, dtype = readers[version](stream)
    except ValueError as error:
        if "EOF" in str(error):
            raise cut_short(name, "the header ends too soon") from None
        raise damaged(name, "its .npy header cannot be understood") from None
    if dtype.kind not in "buif":
        raise InputError(f"{name} holds {dtype} values: only bool, integers and floats are images")
    if len(shape) not in (2, 3):
        raise InputError(f"{name} has shape {shape}: expected (H, W) or (H, W, C)")
    if min(shape) < 1:
        raise InputError(f"{name} has no pixels: its shape is {shape}")
    return (*shape, 1)[:3], dtype, by_columns


def _convert(values: np.ndarray, pixels: np.ndarray, name: str) -> None:
    with np.errstate(over="ignore"):
        pixels[...] = values
    if pixels.dtype.kind == "f" and (np.isinf(pixels) & np.isfinite(values)).any():
        raise InputError(
            f"{name} holds values beyond {np.finfo(pixels.dtype).max:.1e}, the largest 32-bit "
            "float: divide them first"
        )


def _to_gray(pixels: np.ndarray, name: str) -> np.ndarray:
    channels = pixels.shape[2]
    if channels == 1:
        return pixels
    if channels == 3:
        return luminance(pixels)
    raise InputError(f"{name} has {channels} channels: only 3 can be made grey")
