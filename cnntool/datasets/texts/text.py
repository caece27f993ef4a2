"""Text, decoded and with one kind of line end, in pieces that fit the cache."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, TypeGuard

from cnntool.datasets.texts.encodings import (
    BYTE_ORDER_MARK,
    LOOKED_AT,
    checked_encoding,
    remedy,
    wide_encoding,
)
from cnntool.errors import InputError, RequestError
from cnntool.files.streams import open_path


def read_text(
    sources: Sources,
    encoding: str = "utf-8",
    advance: Advance | None = None,
    has_level: bool = False,
    has_option: bool = True,
) -> Iterator[str]:
    """The text of all sources, one behind the other, in pieces of any length.

    sources: one or several of: a path, ``-`` for stdin, a binary file object, which is read once.
    A byte-order mark is dropped, also where ``cat`` put files together; ``\\r\\n`` and a lone
    ``\\r`` become ``\\n``, as in Python's text mode; a text that does not end in a newline gets
    one. So these three change nothing, and a word never runs over from one file into the next.

    has_level: whether whoever asks may read bytes instead, which is the remedy for a binary file.
    has_option: whether the encoding can be set, which is that for a text; else iconv is.

    RequestError at once for an encoding that is not known and for sources that make no sense.
    InputError, as the text is read, for what cannot be read, what is not in the encoding (with the
    byte, its offset and its line) and for NUL, which only binary files hold.
    """
    encoding, each = checked_encoding(encoding), _pieces_of_each(checked_sources(sources), advance)
    bytes_too = "a binary file takes --level byte, " if has_level else ""
    iconv = None if has_option else f"convert it to {encoding.upper()} with iconv"
    decoders = ((_Decoder(name, encoding, bytes_too, iconv), pieces) for name, pieces in each)
    return (text for decoder, pieces in decoders for text in _decoded(decoder, pieces))


def _decoded(decoder: _Decoder, pieces: Iterator[bytes]) -> Iterator[str]:
    last = "\n"
    for data in pieces:
        if text := decoder.decode(data):
            last = text
            yield text
    if text := decoder.decode(b"", final=True):
        last = text
        yield text
    if not last.endswith("\n"):
        yield "\n"


class _Decoder:
    """Bytes to text piece by piece, with the place of whatever is wrong.

    bytes_too: the remedy for a file that is none, '' where it has none. iconv: that for a text,
    None where its encoding can be set.
    """

    def __init__(self, name: str, encoding: str, bytes_too: str, iconv: str | None) -> None:
        self.name, self.encoding, self.bytes_too, self.iconv = name, encoding, bytes_too, iconv
        self.characters = codecs.getincrementaldecoder(encoding)()
        self.line_ends = io.IncrementalNewlineDecoder(None, translate=True)
        self.offset = 0  # of the first byte that is not decoded yet
        self.lines = 0  # that ended before it

    def decode(self, data: bytes, final: bool = False) -> str:
        waiting = len(self.characters.getstate()[0])  # bytes of a character that is not whole
        try:
            text = self.characters.decode(data, final)
        except UnicodeDecodeError as error:
            raise self._not_encoded(error) from None
        except UnicodeError as error:  # some encodings name no place
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.name} is not {self.encoding.upper()} after line {self.lines:,}: {reason}; "
                f"{self.iconv or 'name its true --encoding'}"
            ) from None
        self.offset += waiting + len(data) - len(self.characters.getstate()[0])
        text = self.line_ends.decode(text.replace(BYTE_ORDER_MARK, ""), final)
        self._refuse_binary(text)
        self.lines += text.count("\n")
        return text

    def _not_encoded(self, error: UnicodeDecodeError) -> InputError:
        before = bytes(error.object[: error.start])
        offset = self.offset + error.start
        try:
            text = before.decode(self.encoding, "replace")
        except UnicodeError:  # idna replaces nothing
            text = before.decode("latin-1")
        line = self.lines + self.line_ends.decode(text, True).count("\n") + 1
        begin = max(0, error.start - LOOKED_AT // 2)
        around = bytes(error.object[begin and (before.find(b"\n", begin) + 1 or begin) :])
        if b"\0" in around and self.encoding == "utf-8" and not wide_encoding(around):
            return InputError(
                f"{self.name} is binary: it holds byte 0x{error.object[error.start]:02x} at offset "
                f"{offset:,} (line {line:,}), which is not UTF-8, and NUL; {self._its_encoding}"
            )
        return InputError(
            f"{self.name}: byte 0x{error.object[error.start]:02x} at offset {offset:,} "
            f"(line {line:,}) is not {self.encoding.upper()}: "
            f"{remedy(around, self.name, self.iconv)}"
        )

    @property
    def _its_encoding(self) -> str:
        takes = "" if self.bytes_too else "takes "
        return self.bytes_too + (self.iconv or f"a text {takes}its --encoding")

    def _refuse_binary(self, text: str) -> None:
        """InputError for NUL and for halves of surrogate pairs, which some encodings let pass."""
        place = text.find("\0")
        if place >= 0:
            line = self.lines + text.count("\n", 0, place) + 1
            wide = wide_encoding(text.encode("utf-8", "replace"))
            likely = self._its_encoding
            if wide and not self.iconv:
                likely = f"this looks like --encoding {wide}"
                likely = f"{self.bytes_too}and {likely}" if self.bytes_too else likely
            raise InputError(
                f"{self.name} holds NUL in line {line:,}, which text never does: {likely}"
            )
        if self.encoding != "utf-8":
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                line = self.lines + text.count("\n", 0, error.start) + 1
                raise InputError(
                    f"{self.name} holds half a surrogate pair in line {line:,}: "
                    f"{self.iconv or 'name its true --encoding'}"
                ) from None


STDIN = "-"
CHUNK = 1 << 18
"""Bytes that are read at a time."""

Source = str | os.PathLike | IO[bytes]
Sources = Source | Sequence[Source]
Advance = Callable[[int, int], None]
"""Called with (bytes read, bytes of all); the latter is 0 where a pipe does not say."""


def checked_sources(sources: Sources) -> list[Source]:
    """Them as a list; RequestError for none, an empty name, stdin twice, stdin at a terminal."""
    if isinstance(sources, str) or not isinstance(sources, Sequence):
        sources = [sources]
    found = list(sources)
    if not found or any(isinstance(source, str) and not source for source in found):
        raise RequestError("no text is named: name its files, or - for stdin")
    if sum(map(_is_stdin, found)) > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")
    if any(map(_is_stdin, found)) and sys.stdin is not None and sys.stdin.isatty():
        raise RequestError("- reads text from stdin, which is a terminal: pipe a text in")
    return found


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
    for _, pieces in _pieces_of_each(checked_sources(sources), advance):
        yield from pieces


def _pieces_of_each(
    sources: Sequence[Source], advance: Advance | None
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The name and the bytes of each source; InputError, as they are read, for what is missing, a
    folder or cannot be read."""
    total, done = joint_size(sources) if advance else 0, 0

    def pieces(source: Source, name: str) -> Iterator[bytes]:
        nonlocal done
        with _opened(source, name) as stream:
            while data := _read(stream, name):
                yield data
                done += len(data)
                if advance:
                    advance(done, total)

    for source in sources:
        yield (name := source_name(source)), pieces(source, name)


def _read(stream: IO[bytes], name: str) -> bytes:
    """What there is, so that what is piped in line by line need not be waited for."""
    try:
        return getattr(stream, "read1", stream.read)(CHUNK)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None


def _opened(source: Source, name: str) -> AbstractContextManager[IO[bytes]]:
    """The stream of a source; a file is closed behind it, a stream that was given is not."""
    if _is_path(source):
        return open_path(source, name, "a text: name the files in it")
    return nullcontext(_stream(source))


def _stream(source: Source) -> IO[bytes]:
    if not isinstance(source, str | os.PathLike):
        return source
    if sys.stdin is None:
        raise InputError("stdin is closed: name a file, or pipe a text in")
    return sys.stdin.buffer


def _is_path(source: Source) -> TypeGuard[str | os.PathLike]:
    return isinstance(source, str | os.PathLike) and not _is_stdin(source)


def _is_stdin(source: Source) -> bool:
    return isinstance(source, str) and source == STDIN
