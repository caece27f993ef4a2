"""Named arrays in one .npz file: written so that bytes repeat, read so that nothing is believed.

A member is a stored (never compressed) .npy of version 1.0, which numpy.load reads too. A file that
is read may come from anywhere: what a member claims is compared with the size of the file before
anything is allocated, so that no claim costs more memory than the file has bytes; no object is ever
unpickled, and every checksum is compared.

Sources: PKWARE APPNOTE 6.3.10 for the archive, numpy.lib.format for its members.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import IO, BinaryIO

import numpy as np

from cnntool.errors import InputError

DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)
"""What arrays may be of, always little-endian in the file."""

MOST_AXES = 8
MOST_ELEMENTS = 1 << 44
"""Of a shape whose zeros count as ones: beyond it NumPy cannot make the array."""

NAME = re.compile(r"[!-\[\]-~][ -\[\]-~]{0,199}")
"""Printable ASCII without backslashes, which zipfile takes for slashes on Windows."""

_KNOWN = {dtype.str: dtype for dtype in (np.dtype(name).newbyteorder("<") for name in DTYPES)}
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<>|=][^']{1,20})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n"
)
_LONGEST_HEADER = 4096
_CHUNK = 1 << 24


def write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, in this order: the same arrays give the same bytes everywhere.

    Raises ValueError for a name or a dtype that cannot be in the file.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            array = np.asarray(array)
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no name for an array: use printable ASCII, no \\")
            if array.dtype.name not in DTYPES or array.ndim > MOST_AXES:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, which is not written")
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            header = _npy_header(little.dtype, array.shape)
            member = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
            member.create_system, member.external_attr = 3, 0o644 << 16  # as on Unix, everywhere
            member.file_size = len(header) + little.nbytes
            with archive.open(member, "w") as target:
                target.write(header)
                for start in range(0, little.nbytes, _CHUNK):
                    target.write(little.reshape(-1).view(np.uint8)[start : start + _CHUNK].data)


def _npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Up to the data, which begin at a multiple of 64 bytes."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    padding = -(len(_MAGIC) + 2 + len(text) + 1) % 64
    text += b" " * padding + b"\n"
    return _MAGIC + len(text).to_bytes(2, "little") + text


class ArrayArchive:
    """An archive that is open for reading; messages begin with its path."""

    def __init__(self, path: str, archive: zipfile.ZipFile, size: int) -> None:
        self._path = path
        self._archive = archive
        self._members = _checked_members(path, archive.infolist(), size)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all arrays, in the order of the file."""
        return tuple(self._members)

    def size(self, name: str) -> int:
        """Bytes of an array in the file, its header counted too."""
        return self._members[name].file_size

    def facts(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and dtype of an array, without reading it."""
        with _plain_errors(self._path), self._archive.open(self._members[name]) as member:
            shape, dtype, _ = self._read_header(member, name)
        return shape, dtype.newbyteorder("=")

    def read(self, name: str) -> np.ndarray:
        """An array, in C order and in this machine's byte order."""
        with _plain_errors(self._path), self._archive.open(self._members[name]) as member:
            shape, dtype, is_fortran = self._read_header(member, name)
            values = np.frombuffer(member.read(), dtype)
            values = values.reshape(shape, order="F" if is_fortran else "C")
            return np.array(values, dtype.newbyteorder("="), order="C")

    def _read_header(self, member: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype, bool]:
        start = member.read(len(_MAGIC) + 2)
        length = int.from_bytes(start[-2:], "little")
        text = member.read(length) if start[:-2] == _MAGIC and length <= _LONGEST_HEADER else b""
        match = _HEADER.fullmatch(text)
        if match is None:
            raise InputError(f"{self._path} is damaged: {name} is no array that cnntool writes")
        kind = match[1].decode("latin-1")
        if "O" in kind:
            raise InputError(
                f"{self._path}: {name} holds pickled objects, which are never loaded: take a file "
                "that cnntool wrote"
            )
        if kind not in _KNOWN:
            raise InputError(f"{self._path}: {name} has dtype '{kind}', which cnntool never writes")
        dtype = _KNOWN[kind]
        shape = tuple(map(int, re.findall(rb"\d+", match[3])))
        room = self.size(name) - len(start) - len(text)
        elements = prod(max(1, side) for side in shape)
        if (
            len(shape) > MOST_AXES
            or elements > MOST_ELEMENTS
            or room != prod(shape) * dtype.itemsize
        ):
            raise InputError(
                f"{self._path} is damaged: {name} claims to be {dtype.name} {shape}, but has "
                f"{room:,} bytes"
            )
        return shape, dtype, match[2] == b"True"


@contextmanager
def open_arrays(path: str | os.PathLike) -> Iterator[ArrayArchive]:
    """Open an archive of arrays, for as long as the block lasts.

    InputError, one line, whatever is wrong with the file; and so for what is read from it.
    """
    with ExitStack() as opened:
        with _plain_errors(str(path)):
            mode = os.stat(path).st_mode
            if not stat.S_ISREG(mode):
                kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
                raise InputError(f"{path} is {kind}: name a model file")
            file = opened.enter_context(open(path, "rb"))
            start, size = file.read(4), os.fstat(file.fileno()).st_size
            if not start:
                raise empty(str(path))
            if not b"PK\3\4".startswith(start):
                raise InputError(
                    f"{path} is no model file: it is not an .npz archive; name a file "
                    "that cnntool trained"
                )
            archive = opened.enter_context(zipfile.ZipFile(file))
            found = ArrayArchive(str(path), archive, size)
        yield found


def _checked_members(
    path: str, members: list[zipfile.ZipInfo], size: int
) -> dict[str, zipfile.ZipInfo]:
    """Members by the names of their arrays; none larger than the file, nor all together."""
    found = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if not NAME.fullmatch(name) or name == member.filename:
            raise InputError(f"{path} is no model file: it holds more than arrays")
        if name in found:
            raise InputError(f"{path} is damaged: it holds {name} twice")
        if member.flag_bits & 1:
            raise InputError(f"{path} is encrypted: save it without a password")
        if member.compress_type != zipfile.ZIP_STORED:
            raise InputError(
                f"{path} is compressed, as no model is: name a file that cnntool trained"
            )
        if member.file_size != member.compress_size:
            raise InputError(f"{path} is damaged: {name} has two different sizes")
        found[name] = member
    claimed = sum(member.file_size for member in members)
    if claimed > size:
        raise InputError(
            f"{path} is damaged: its arrays claim {claimed:,} bytes, and it has {size:,}"
        )
    return found


def not_there(path: str, what: str) -> InputError:
    """The error for a file that does not exist, where the path of ``what`` was expected.

    Archives are read from their end, so what is a stream to other commands cannot be one here.
    """
    if path == "-":
        return InputError(f"- is no file, and stdin cannot be read here: name {what}")
    return InputError(f"{path} does not exist: name {what}")


NO_LIST = "its list of arrays is not whole"


def not_whole(path: str, reason: str) -> InputError:
    """The error for an archive that was cut off or changed on its way."""
    return InputError(f"{path} is cut short or damaged: {reason}; copy it again, or make it anew")


def empty(path: str) -> InputError:
    return InputError(f"{path} is empty: name a model file")


@contextmanager
def _plain_errors(path: str) -> Iterator[None]:
    """What the system and zipfile raise for files that are not there or broken, in one line."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise not_there(path, "a model file") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: no permission") from None
    except MemoryError:
        raise InputError(f"{path} does not fit into memory") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a place before the file's start
            raise InputError(f"{path} is damaged: a part of it cannot be found") from None
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except zipfile.BadZipFile as error:
        raise not_whole(path, "a checksum is wrong" if "CRC" in str(error) else NO_LIST) from None
    except _BROKEN:
        raise InputError(f"{path} is damaged: its list of arrays makes no sense") from None


_BROKEN = (struct.error, EOFError, ValueError, LookupError, ArithmeticError, RuntimeError)
"""What zipfile raises beside its own errors when it is misled."""
