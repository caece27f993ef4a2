"""Signals as NumPy's .npy files: (L,), or (L, C) with a channel a column.

Source: the format's description in numpy.lib.format.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from math import prod
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.signal import BLOCK, Signal, check_finite
from cnntool.files.streams import cut_short, damaged

MAGIC = b"\x93NUMPY"
HEADER_BYTES = 128
"""Of what is written: more than any length needs, so that a length may be filled in later."""


def read_npy(stream: BinaryIO, name: str) -> Signal:
    """A signal from an array of numbers; what does not come row by row is spooled to disk."""
    shape, by_columns, dtype = _read_header(stream, name)
    if len(shape) == 2 and shape[0] == 1 and shape[1] > 1:
        shape = (shape[1],)  # a row is a signal too
    length, channels = shape[0], prod(shape[1:])
    frames = max(1, BLOCK // channels)
    read = _read_columns if by_columns and channels > 1 else _read_rows
    return Signal(
        name,
        "npy",
        channels,
        _checked(read(stream, dtype, length, channels, frames, name), name),
        length,
        expected_blocks=-(-length // frames),
    )


def _read_header(stream: BinaryIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        with warnings.catch_warnings():  # a malformed header may warn before it fails
            warnings.simplefilter("ignore")
            shape, by_columns, dtype = readers[version](stream)
    except KeyError:
        raise InputError(f"{name} is a .npy of an unknown version: save it again") from None
    except ValueError as error:
        if "EOF" in str(error):
            raise cut_short(name, "the header ends too soon") from None
        raise damaged(name, "its .npy header cannot be understood") from None
    except Exception:  # whatever NumPy's parser meets in a header that was tampered with
        raise damaged(name, "its .npy header cannot be understood") from None
    if dtype.kind not in "biuf":
        raise InputError(f"{name} holds {dtype} values: save whole or real numbers")
    if len(shape) not in (1, 2) or min(shape) < 0:
        raise InputError(f"{name} has shape {shape}: expected (L,), or (L, C) for C channels")
    if not prod(shape):
        raise InputError(f"{name} is empty: its shape is {shape}")
    return shape, by_columns, dtype


def _read_rows(
    stream: BinaryIO, dtype: np.dtype, length: int, channels: int, frames: int, name: str
) -> Iterator[np.ndarray]:
    for first in range(0, length, frames):
        count = min(frames, length - first)
        values = _values(stream, count * channels, dtype, name)
        yield values.reshape(count, channels).T
    if stream.read(1):
        raise damaged(name, f"it holds more than the {length:,} x {channels} values it announces")


def _read_columns(
    stream: BinaryIO, dtype: np.dtype, length: int, channels: int, frames: int, name: str
) -> Iterator[np.ndarray]:
    """Column after column, as Fortran and MATLAB have it: blocks are gathered by seeking."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        for first in range(0, length, frames):
            count = min(frames, length - first)
            rows = []
            for channel in range(channels):
                file.seek((channel * length + first) * dtype.itemsize)
                rows.append(_values(file, count, dtype, name))
            yield np.stack(rows)


def _values(stream: BinaryIO, count: int, dtype: np.dtype, name: str) -> np.ndarray:
    data = stream.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise cut_short(name, "part of the samples its header announces is missing")
    return np.frombuffer(data, dtype)


def _checked(blocks: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    done = 0
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            block = np.ascontiguousarray(block, np.float64)
        check_finite(block, done, name)
        yield block
        done += block.shape[1]


def npy_header(channels: int, length: int) -> bytes:
    """The bytes before the samples, float64 row by row; as many for every length."""
    shape = f"({length},)" if channels == 1 else f"({length}, {channels})"
    fields = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    start = MAGIC + b"\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + fields.encode().ljust(HEADER_BYTES - 11) + b"\n"


def bytes_of(block: np.ndarray) -> bytes:
    """Samples (C, n) as they stand in the file."""
    return np.ascontiguousarray(block.T, "<f8").tobytes()
