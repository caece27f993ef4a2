"""Reading bytes that may be a file or a pipe, with plain words for whatever goes wrong."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.files.limits import Limits, free_memory
from cnntool.wording import counted, nan_count


class Readable(Protocol):
    """What can be read forward: a file, a pipe, or bytes that are joined again."""

    def read(self, size: int = -1, /) -> bytes: ...


class Rejoined:
    """A stream that begins with bytes already taken from it; reads forward only."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self.head = head
        self.rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            taken, self.head = self.head + self.rest.read(), b""
            return taken
        taken, self.head = self.head[:size], self.head[size:]
        while len(taken) < size and (more := self.rest.read(size - len(taken))):
            taken += more
        return taken


def read_whole(stream: Readable, limits: Limits) -> io.BytesIO:
    """All that comes, under the limits: also of what never ends, whatever memory there is."""
    whole, free = io.BytesIO(), free_memory()
    while block := stream.read(1 << 24):
        whole.write(block)
        limits.check_bytes(whole.tell())
        if free is not None and 2 * whole.tell() > free:
            raise InputError(
                f"{limits.name} does not fit into memory: {whole.tell():,} bytes were read, and it "
                "goes on"
            )
    whole.seek(0)
    return whole


def fill(
    stream: Readable,
    array: np.ndarray,
    name: str,
    of: str = "pixels",
    part: tuple[int, int] | None = None,
) -> None:
    """Read the bytes of a C-contiguous array from a stream; InputError when they end too soon.

    of: what the bytes are of, in the error. part: bytes that came before, and all, where the array
    is a part.
    """
    room = array.reshape(-1).view(np.uint8).data
    before, total = part or (0, len(room))
    into = getattr(stream, "readinto", None)
    done = 0
    while done < len(room):
        if into is not None:
            count = into(room[done:]) or 0
        else:
            block = stream.read(min(1 << 20, len(room) - done))
            count = len(block)
            room[done : done + count] = block
        if not count:
            raise cut_short(
                name, f"{before + done:,} of {counted(total, 'byte')} of {of} are there"
            )
        done += count


def cut_short(name: str, reason: str) -> InputError:
    return InputError(f"{name} is cut short: {reason}")


def damaged(name: str, reason: str) -> InputError:
    return InputError(f"{name} is damaged: {reason}")


class NotFinite(InputError):
    """Float pixels that are not numbers, `count` of them."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(
            f"{name} holds {nan_count(count, 'value')}: replace them first, for example with "
            "numpy.nan_to_num"
        )
        self.count = count


def check_finite(pixels: np.ndarray, name: str) -> None:
    """InputError for float pixels that are not numbers: they would spread through every filter."""
    bad = sum(int(np.count_nonzero(~np.isfinite(rows))) for rows in pixels)
    if bad:
        raise NotFinite(bad, name)


def open_path(path: str | os.PathLike, name: str, instead: str) -> io.BufferedReader:
    """A file to be read. InputError where it is not there, a folder, or may not be opened.

    What a person names may be a pipe or a device as well, which is read forward and under limits;
    what is found in a folder, or read from its end, has to be a regular file.

    ``instead`` ends the sentence on a folder: "an image: name the images in it".
    """
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{name} does not exist: check the name") from None
    except PermissionError:
        raise InputError(f"{name} may not be read: you have no permission") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name} cannot be opened: {reason}") from None
    raise InputError(f"{name} is a folder, not {instead}")


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a malformed file into one line of InputError."""
    try:
        yield
    except (InputError, RequestError):
        raise
    except MemoryError:
        raise InputError(f"{name} does not fit into memory: use a smaller one") from None
    except (EOFError, struct.error):
        raise cut_short(name, "it ends in the middle of a header") from None
    except zlib.error:
        raise damaged(name, "its compressed data cannot be unpacked") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}") from None
        raise _in_words(error, name) from None


def _in_words(error: Exception, name: str) -> InputError:
    """What a decoder says; what our own code or NumPy stumbles over is no news for a user."""
    text = " ".join(str(error).split())
    if part := re.fullmatch(
        r"(?:APNG contains )?[Tt]runcated (\w+) chunk", text
    ):  # whole as it stands
        return damaged(name, f"its chunk '{part[1]}' is too short for what it is")
    if any(word in text.lower() for word in ("truncated", "not enough")):
        return cut_short(name, "part of the picture is missing")
    if any(word in text.lower() for word in ("unsupported", "not yet supported", "cannot handle")):
        return InputError(
            f"{name} is of a kind that is not read ({text[:120]}): convert it to PNG first"
        )
    if any(words in text for words in ("decoder error", "broken data stream", "unrecognized data")):
        return damaged(name, "its compressed data cannot be decoded")
    is_said = isinstance(error, (OSError, SyntaxError)) and "cannot identify" not in text
    return damaged(name, text[:120] if text and is_said else "its header makes no sense")
