"""What a text is read from: files, stdin, open streams; their names, sizes and bytes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from cnntool.errors import InputError, RequestError

STDIN = "-"
CHUNK = 1 << 18
"""Bytes that are read at a time."""

Source = str | os.PathLike | BinaryIO
Sources = Source | Sequence[Source]
Advance = Callable[[int, int], None]
"""Called with (bytes read, bytes of all); the latter is 0 where a pipe does not say."""


def checked_sources(sources: Sources) -> list[Source]:
    """Them as a list; RequestError for none, an empty name, stdin twice, stdin at a terminal."""
    sources = [sources] if _is_one(sources) else list(sources)
    if not sources or any(isinstance(source, str) and not source for source in sources):
        raise RequestError("no text is named: name its files, or - for stdin")
    if sum(map(_is_stdin, sources)) > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")
    if any(map(_is_stdin, sources)) and sys.stdin is not None and sys.stdin.isatty():
        raise RequestError("- reads text from stdin, which is a terminal: pipe a text in")
    return sources


def source_name(source: Source) -> str:
    """What to call one in messages: a path as it was given, or stdin."""
    if isinstance(source, str | os.PathLike):
        return "stdin" if _is_stdin(source) else os.fsdecode(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name != "<stdin>" else "stdin"


def joint_name(sources: Sources) -> str:
    """What to call all in messages: ``text.txt``, or ``a.txt and 2 more``."""
    names = [source_name(source) for source in checked_sources(sources)]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def joint_size(sources: Sources) -> int:
    """Bytes of all files; 0 where one of them is a pipe, or does not say."""
    total = 0
    for source in checked_sources(sources):
        try:
            facts = os.stat(source) if _is_path(source) else os.fstat(_stream(source).fileno())
        except (OSError, ValueError, AttributeError):
            return 0
        if not stat.S_ISREG(facts.st_mode):
            return 0
        total += facts.st_size
    return total


def read_bytes(sources: Sources, advance: Advance | None = None) -> Iterator[bytes]:
    """The bytes of all sources as they are, one behind the other, in pieces.

    InputError, as they are read, for what is missing, is a folder or cannot be read.
    """
    sources = checked_sources(sources)
    count = counter(sources, advance)
    for source in sources:
        yield from count(pieces(source))


def pieces(source: Source) -> Iterator[bytes]:
    """The bytes of one source; InputError for what is missing, a folder or cannot be read."""
    name = source_name(source)
    with _opened(source, name) as stream:
        while True:
            try:
                data = stream.read(CHUNK)
            except OSError as error:
                raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
            if not data:
                return
            yield data


def counter(
    sources: Sources, advance: Advance | None
) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """What passes pieces on and tells ``advance`` of them, counting over all sources."""
    total, done = joint_size(sources) if advance else 0, 0

    def counted(read: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for data in read:
            yield data
            done += len(data)
            if advance:
                advance(done, total)

    return counted


@contextmanager
def _opened(source: Source, name: str) -> Iterator[BinaryIO]:
    """The stream of a source; a file is closed behind it, a stream that was given is not."""
    if not _is_path(source):
        yield _stream(source)
        return
    try:
        if stat.S_ISDIR(os.stat(source).st_mode):
            raise InputError(f"{name} is a folder, not a text: name the files in it")
        stream = open(source, "rb")  # noqa: SIM115 - closed below, outside of what is caught here
    except FileNotFoundError:
        raise InputError(f"{name} does not exist: check the name") from None
    except PermissionError:
        raise InputError(f"{name} may not be read: you have no permission") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name} cannot be opened: {reason}") from None
    with stream:
        yield stream


def _stream(source: Source) -> BinaryIO:
    if not _is_stdin(source):
        return source
    if sys.stdin is None:
        raise InputError("stdin is closed: name a file, or pipe a text in")
    return sys.stdin.buffer


def _is_one(sources: Sources) -> bool:
    return isinstance(sources, str | os.PathLike) or hasattr(sources, "read")


def _is_path(source: Source) -> bool:
    return isinstance(source, str | os.PathLike) and not _is_stdin(source)


def _is_stdin(source: Source) -> bool:
    return isinstance(source, str) and source == STDIN
