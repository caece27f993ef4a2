"""NumPy's .npy files, as images and as signals: what passes between two commands without loss.

An image is (H, W) or (H, W, C), a signal (L,) or (L, C) with a channel a column. Source: the
format's description in numpy.lib.format.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import (
    STRIP_ROWS,
    WHITE,
    Frame,
    Image,
    ImageInfo,
    luminance,
)
from cnntool.files.layout import (
    Layout,
    NotInRows,
    PlainWriter,
    Stored,
    Strips,
    fitting,
    strips_of,
)
from cnntool.files.limits import DEFLATED, Limits
from cnntool.files.signal import BLOCK, Signal, check_finite_samples
from cnntool.files.streams import Readable, check_finite, cut_short, damaged, fill
from cnntool.wording import counted

LARGEST = float(np.finfo(np.float32).max)
"""What a value may be in size, so that a network takes it as well."""

if TYPE_CHECKING:
    from zipfile import ZipInfo

MAGIC = b"\x93NUMPY"


class Header(NamedTuple):
    """What stands before the values."""

    shape: tuple[int, ...]
    by_columns: bool  # as Fortran and MATLAB have it
    dtype: np.dtype


def read_header(stream: Readable, name: str) -> Header:
    """The header of an array of any type; InputError for what is none."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
        (3, 0): np.lib.format.read_array_header_2_0,  # other letters in names of fields alone
    }
    try:
        read = readers[np.lib.format.read_magic(stream)]
        with warnings.catch_warnings():  # a malformed header may warn before it fails
            warnings.simplefilter("ignore")
            return Header(*read(stream))
    except KeyError:
        remedy = "save it with numpy.save"
        raise InputError(f"{name} is a .npy of an unknown version: {remedy}") from None
    except Exception as error:  # whatever NumPy's parser meets in what was tampered with
        if isinstance(error, ValueError) and "EOF" in str(error):
            raise cut_short(name, "the header ends too soon") from None
        raise damaged(name, "its .npy header cannot be understood") from None


def read_values(
    stream: Readable, header: Header, name: str, most: int | None = None, of: str = "values"
) -> np.ndarray:
    """The array that follows its header, to the end of the stream, which has so many bytes at the
    ``most`` where that is known; InputError for objects. of: what they are, in its words."""
    if header.dtype.hasobject:
        raise InputError(
            f"{name} holds pickled objects, which are never loaded: save plain numbers or text"
        )
    needed = prod(header.shape) * header.dtype.itemsize
    if most is not None and needed > most:  # before room is made for what is not there
        raise cut_short(name, f"its header says {counted(needed, 'byte')}, and {most:,} are there")
    array = _room(header, header.dtype, name)
    fill(stream, array.T if header.by_columns else array, name, of)
    _refuse_more(stream, header.shape, name)
    return array


def _room(header: Header, dtype: np.dtype, name: str) -> np.ndarray:
    try:
        return np.empty(header.shape, dtype, "F" if header.by_columns else "C")
    except (MemoryError, ValueError):  # ValueError: more than an address can say
        raise InputError(f"{name} claims to be {header.shape}, which no memory holds") from None


def most_bytes(member: ZipInfo) -> int:
    """Bytes that a member of an archive can have, whatever it says."""
    if member.compress_type == 8:  # deflate; zipfile takes its time to import
        return min(member.file_size, member.compress_size * DEFLATED)
    return member.file_size


def _real_header(stream: Readable, name: str) -> Header:
    """The header of an array of real numbers; InputError for any other."""
    header = read_header(stream, name)
    if header.dtype.kind not in "buif":
        raise InputError(
            f"{name} holds {header.dtype} values, and only bool, integers and floats are read: "
            "save whole or real numbers"
        )
    return header


def probe(stream: Readable, limits: Limits) -> ImageInfo:
    """What the header says: (H, W) is grey, (H, W, C) has C channels."""
    (height, width, channels), _, dtype = _image_header(stream, limits.name)
    depth = {"uint8": "8-bit", "uint16": "16-bit"}.get(dtype.name, "float")
    return ImageInfo("NPY", width, height, channels, depth, 1, dtype.name)


def read(stream: Readable, limits: Limits) -> Image:
    """The array as (H, W, C): uint8 and uint16 as they are, float64 for real numbers of 64 bits
    and whole ones of 32 or more, all else as float32.

    The white of floats is what the caller says. Every channel counts as colour.
    """
    header, layout = _limited_header(stream, limits)
    if header.by_columns or header.dtype == layout.dtype:
        values = read_values(stream, header, limits.name, of="pixels")
    else:
        values = _converted(stream, header, layout.dtype, limits.name)
    return layout.image_of(_frame(values, layout, limits))


def _converted(stream: Readable, header: Header, dtype: np.dtype, name: str) -> np.ndarray:
    """The array that follows its header in another type, converted a few rows at a time."""
    pixels = _room(header, dtype, name)
    values = np.empty((STRIP_ROWS, *header.shape[1:]), header.dtype)
    total = len(pixels) * values[0].nbytes
    for top in range(0, len(pixels), STRIP_ROWS):
        rows = pixels[top : top + STRIP_ROWS]
        fill(stream, values[: len(rows)], name, part=(top * values[0].nbytes, total))
        _convert(values[: len(rows)], rows, name)
    _refuse_more(stream, header.shape, name)
    return pixels


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """An array as `read` gives it, row by row."""
    header, layout = _limited_header(stream, limits)
    if header.by_columns:
        raise NotInRows(limits.name, "is an array stored by columns")
    stored = Stored(stream, stream.tell(), header.dtype, header.shape, limits.name)
    if stored.check_all_there():
        raise _more(header.shape, limits.name)

    def read(top: int, bottom: int) -> Frame:
        return _frame(stored.read(top, bottom), layout, limits)

    return layout, strips_of(read, layout.height, fitting(stored.row_bytes), limits.name)


def _frame(values: np.ndarray, layout: Layout, limits: Limits) -> Frame:
    """Values (n, W, C) as pixels; InputError where these would be other numbers."""
    pixels = values
    if values.dtype != layout.dtype or not values.flags.c_contiguous:
        pixels = np.empty(values.shape, layout.dtype)
        for top in range(0, len(values), STRIP_ROWS):
            rows = slice(top, top + STRIP_ROWS)
            _convert(values[rows], pixels[rows], limits.name)
    if pixels.dtype.kind == "f":
        check_finite(pixels, limits.name)
        if max(float(pixels.max()), -float(pixels.min())) > LARGEST:
            raise _beyond(limits.name)
    return Frame(luminance(pixels) if pixels.shape[2] != layout.channels else pixels)


def _kept_as(dtype: np.dtype) -> np.dtype:
    """The type of pixels that values of a type become."""
    kind = np.dtype(dtype.name if dtype.name in WHITE else np.result_type(np.float32, dtype))
    return min(kind, np.dtype(np.float64), key=lambda each: each.itemsize)


def _limited_header(stream: Readable, limits: Limits) -> tuple[Header, Layout]:
    """The header of an image, and what it is read as."""
    header = _image_header(stream, limits.name)
    height, width, channels = header.shape
    limits.check_size(width, height)
    limits.check_channels(width, height, channels)
    if limits.gray and channels not in (1, 3):
        raise InputError(f"{limits.name} has {channels} channels: only 3 can be made grey")
    kind = _kept_as(header.dtype)
    white = WHITE.get(kind.name, limits.float_white)
    return header, Layout(height, width, 1 if limits.gray else channels, kind, white, False, "NPY")


def _image_header(stream: Readable, name: str) -> Header:
    """The header with the shape (height, width, channels)."""
    header = _real_header(stream, name)
    if len(header.shape) not in (2, 3):
        raise InputError(f"{name} has shape {header.shape}: expected (H, W) or (H, W, C)")
    if min(header.shape) < 1:
        raise InputError(f"{name} has no pixels: its shape is {header.shape}")
    return header._replace(shape=(*header.shape, 1)[:3])


def _convert(values: np.ndarray, pixels: np.ndarray, name: str) -> None:
    """Put values into pixels; InputError where these would be infinite, or other whole numbers."""
    with np.errstate(over="ignore"):
        pixels[...] = values
    is_wider = values.dtype.itemsize > pixels.dtype.itemsize  # longdouble alone
    if is_wider and (np.isinf(pixels) & np.isfinite(values)).any():
        raise _beyond(name)
    _check_whole(values, name)


def _check_whole(values: np.ndarray, name: str) -> None:
    """InputError for whole numbers that become others in 64-bit floats."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8:
        return
    if int(values.max(initial=0)) > 2**53 or int(values.min(initial=0)) < -(2**53):
        raise InputError(
            f"{name} holds whole numbers beyond {2**53:,}, of which 64-bit floats leave out every "
            "second one: divide them first"
        )


def _beyond(name: str) -> InputError:
    return InputError(
        f"{name} holds values beyond {LARGEST:.1e}, the largest 32-bit float: divide them first"
    )


def _refuse_more(stream: Readable, shape: tuple[int, ...], name: str) -> None:
    if stream.read(1):
        raise _more(shape, name)


def _more(shape: tuple[int, ...], name: str) -> InputError:
    values = " x ".join(f"{count:,}" for count in shape)
    return damaged(name, f"it holds more than the {values} values its header says")


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> PlainWriter:
    """float32, or float64 where pixels are, (H, W) for one channel, else (H, W, C); alpha becomes
    the last channel."""
    total = layout.channels + layout.has_alpha
    shape = (layout.height, layout.width, total)[: 2 if total == 1 else 3]
    dtype = "<f8" if layout.dtype == np.float64 else "<f4"
    file.write(header_bytes(shape, dtype))
    return PlainWriter(file, dtype)


def header_bytes(shape: tuple[int, ...], dtype: str) -> bytes:
    """What stands before an array's rows: as many bytes for any number of them."""
    header = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


def read_signal(stream: Readable, name: str) -> Signal:
    """A signal from an array of numbers; what does not come row by row is spooled to disk."""
    shape, by_columns, dtype = _real_header(stream, name)
    if len(shape) not in (1, 2) or min(shape) < 0:
        raise InputError(f"{name} has shape {shape}: expected (L,), or (L, C) for C channels")
    if not prod(shape):
        raise InputError(f"{name} is empty: its shape is {shape}")
    if len(shape) == 2 and shape[0] == 1:
        shape = (shape[1],)  # a row is a signal too
    length, channels = shape[0], prod(shape[1:])
    if channels > BLOCK:
        raise InputError(
            f"{name} has {channels:,} channels, a column each, and {BLOCK:,} are the most: "
            "transpose it where rows are the channels"
        )
    frames = max(1, BLOCK // channels)
    read = _read_columns if by_columns and channels > 1 else _read_rows
    blocks = _samples(read(stream, dtype, length, channels, frames, name), name)
    return Signal(name, "npy", channels, blocks, length, expected_blocks=-(-length // frames))


def _read_rows(
    stream: Readable, dtype: np.dtype, length: int, channels: int, frames: int, name: str
) -> Iterator[np.ndarray]:
    for first in range(0, length, frames):
        values = np.empty((min(frames, length - first), channels), dtype)
        fill(stream, values, name, "values")
        yield values.T
    _refuse_more(stream, (length, channels), name)


def _read_columns(
    stream: Readable, dtype: np.dtype, length: int, channels: int, frames: int, name: str
) -> Iterator[np.ndarray]:
    """Column after column: blocks are gathered by seeking."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        for row in _read_rows(stream, dtype, length * channels, 1, BLOCK, name):
            file.write(row.tobytes())
        for first in range(0, length, frames):
            rows = np.empty((channels, min(frames, length - first)), dtype)
            for channel, row in enumerate(rows):
                file.seek((channel * length + first) * dtype.itemsize)
                fill(file, row, name, "values")
            yield rows


def _samples(blocks: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    done = 0
    for block in blocks:
        _check_whole(block, name)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            block = np.ascontiguousarray(block, np.float64)
        check_finite_samples(block, done, name)
        yield block
        done += block.shape[1]


def signal_header(channels: int, length: int | None) -> bytes:
    """What stands before a signal's samples; 0 of them where the length is not known yet."""
    return header_bytes((length or 0,) if channels == 1 else (length or 0, channels), "<f8")


def encode(block: np.ndarray) -> tuple[bytes, int]:
    """Samples (C, n) as they stand in the file, none of them clipped."""
    return np.ascontiguousarray(block.T, "<f8").tobytes(), 0
