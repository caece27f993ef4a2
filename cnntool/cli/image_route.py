"""How an image comes from its file: whole, in strips, or in strips that a cluster makes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from cnntool.cli.files import Source, Targets
from cnntool.cli.options import Batch, Reading
from cnntool.cli.strips import PROGRAM_BYTES, PictureFile
from cnntool.errors import InputError
from cnntool.files.atomic import is_device
from cnntool.files.formats import can_hold, format_for, format_named
from cnntool.files.image import DEPTHS, Image, ImageInfo, blank_frame, choose_depth, with_alpha
from cnntool.files.images import open_image, probe_image
from cnntool.files.layout import NotInRows
from cnntool.files.limits import free_memory
from cnntool.files.rows import address_space, why_not_in_rows
from cnntool.wording import bytes_text

EASY_BYTES = 400_000_000
"""Of a picture and its result: what needs more goes in strips, where it can, which is no slower."""

SHORT_BYTES = 150_000_000
"""Of the same: what needs more is done sooner in strips, of which one is decoded while another is
filtered and a third encoded. Alpha is decoded twice then, and goes so only where it must."""

LARGE_FILE = 1 << 19
"""Bytes of a file from which on it is asked how large its picture is."""


class Needs(NamedTuple):
    """What a command needs of each image.

    results: pictures that come of one. between: bytes of each value beside image and results.
    why_whole: '' where it can be done in strips, else why not. jobs: images at a time. cluster:
    whose workers share the strips of one.
    """

    results: int = 1
    between: int = 0
    why_whole: str = ""
    jobs: int = 1
    cluster: str = ""


class Route(NamedTuple):
    """Whole, or in strips from its file.

    memory, beside: that strips may take, and that reading asks for beside them. piped: what stdin
    had, where it had to be known what that takes.
    """

    file: PictureFile | None = None
    memory: float = float("inf")
    beside: int = 0
    piped: bytes | None = None


def choose_route(source: Source, target: Targets, batch: Batch, needs: Needs) -> Route:
    """In strips where the image is large, and can; else whole.

    InputError where it cannot, and takes more memory than was asked for.
    """
    path, is_asked, piped = source.path, batch.memory is not None, None
    if not is_asked and (path is None or not is_large_file(path)):
        return Route()
    memory = memory_for_one(batch.memory, needs.jobs)
    reason = needs.why_whole
    if not reason and batch.show:
        reason = "--show draws the whole of it"
    elif not reason and not target.paths:
        reason = "stdout takes it whole, -o names a file"
    file = None
    try:
        if path is None:
            raise NotInRows("stdin", "comes through a pipe")
        file = PictureFile(path, source.name, batch)
        image = file.layout.blank()
    except NotInRows as error:
        if not is_asked:
            return Route()
        if path is None:
            piped = _piped_within(memory, source.name)
        image, reason = (
            blank_of(probe_source(source, batch, piped), batch),
            f"{source.name} {error.reason}",
        )
    formats = formats_of(target, batch, image.format)
    reason = reason or next(filter(None, map(why_not_in_rows, formats)), "")
    item = choose_depth(image, formats[0], batch.depth).dtype.itemsize
    need = bytes_whole(image, item, needs.between, needs.results) + len(piped or b"")
    goes_by_once = image.frames[0].alpha is None
    is_free = not (is_asked or batch.cluster or needs.cluster)
    easy = SHORT_BYTES if goes_by_once and is_free else EASY_BYTES
    if need <= min(memory, float("inf") if reason else easy):
        return Route(piped=piped)
    if reason:
        if is_asked:
            _check_need(need, memory, source.name, reason)
        return Route(piped=piped)
    assert file is not None  # as there is a reason else
    keeps_alpha = all(can_hold(name, alpha=True) for name in formats)
    if file.layout.has_alpha and not keeps_alpha and not batch.dry_run:
        file.drop_opaque_alpha()
    return Route(file, memory, address_space(file.layout) if is_asked else 0)


def memory_for_one(asked: int | None, jobs: int) -> float:
    """Bytes that one picture of several at a time may take: its share of what was asked for, else
    of half of what is free."""
    if asked is not None:
        return asked / jobs
    free = free_memory()
    return float("inf") if free is None else free / 2 / jobs


def bytes_whole(image: Image, item: int, between: int, results: int = 1) -> int:
    """About the memory that a picture takes that is there whole, with so many results of its size.

    item: bytes of a value of a result. between: of a value of the frame at work, beside these.
    Decoding and encoding hold a picture once more; alpha weighs the frame in floats, which are
    made of products.
    """
    values = own = working = 0
    for frame in image.frames:
        size, extra = frame.pixels.size, frame.pixels.size * between
        if frame.alpha is not None:
            extra += 4 * (2 * size + frame.alpha.size)
            size += frame.alpha.size
        values, own = values + size, own + size * frame.pixels.itemsize
        working = max(working, extra)
    return PROGRAM_BYTES + 2 * own + (1 + results) * values * item + working


def is_large_file(path: Path) -> bool:
    """Whether its picture may be larger than memory."""
    try:
        return os.path.getsize(path) >= LARGE_FILE
    except OSError:  # which reading says in words
        return False


def blank_of(info: ImageInfo, reading: Reading) -> Image:
    """An image with as many values as that of which a header says this, which takes no memory."""
    shape, has_alpha = (info.height, info.width, info.channels), info.alpha
    dtype = DEPTHS.get(info.depth.removesuffix("-bit"), "uint8")
    frame = blank_frame(shape, dtype, has_alpha and reading.alpha != "drop")
    return Image((frame,) * info.frames, 0.0, info.format)


def _check_need(need: int, memory: float, name: str, reason: str) -> None:
    """InputError where a picture takes more memory as a whole than it may."""
    if need > memory:
        raise InputError(
            f"{name} needs about {bytes_text(need)} of memory as a whole, more than the "
            f"{bytes_text(int(memory))} that it may take, and goes not in strips: {reason}"
        )


def open_within(source: Source, batch: Batch, jobs: int, reason: str) -> Image:
    """The image of a source, one of several at a time; InputError where it takes more memory than
    was asked for. reason: why it goes not in strips."""
    if batch.memory is None:
        return open_source(source, batch)
    memory = memory_for_one(batch.memory, jobs)
    piped = _piped_within(memory, source.name) if source.path is None else None
    image = blank_of(probe_source(source, batch, piped), batch)
    need = bytes_whole(image, image.frames[0].pixels.dtype.itemsize, 0) + len(piped or b"")
    _check_need(need, memory, source.name, reason)
    return open_source(source, batch, piped)


def _piped_within(memory: float, name: str) -> bytes:
    """What stdin has, read whole; InputError where that alone takes more than it may."""
    room = max(0, int(memory) - PROGRAM_BYTES)
    piped = sys.stdin.buffer.read(room + 1)
    if len(piped) > room:
        raise InputError(
            f"{name} takes more than the {bytes_text(int(memory))} that it may take, and a pipe "
            "goes not in strips: name a file, or raise --memory"
        )
    return piped


def open_source(source: Source, reading: Reading, piped: bytes | None = None) -> Image:
    """The image of a source, read as the options say. piped: what stdin had, if that is read."""
    stdin = sys.stdin.buffer if piped is None else piped
    image = open_image(
        stdin if source.path is None else source.path,
        name=source.name,
        max_pixels=reading.max_pixels,
        gray=reading.gray,
        float_white=reading.white,
    )
    return with_alpha(image, reading.alpha, source.name)


def white_note(image: Image, white: float) -> str:
    """What to say where a white is asked for of pixels that have their own, else ""."""
    own = image.frames[0].pixels.dtype
    if white in (255, image.white) or own.kind == "f":
        return ""
    bits = f"{8 * own.itemsize} bits, whose white is {image.white:g}"
    return f"--white {white:g} is for floats, and does nothing: these are {bits}"


def probe_source(source: Source, reading: Reading, piped: bytes | None = None) -> ImageInfo:
    """What a dry run knows of an image: what its header says, read as the options say."""
    found = piped if source.path is None else source.path
    if found is None:
        raise InputError("stdin: a dry run reads no data: name a file")
    info = probe_image(found, max_pixels=reading.max_pixels, name=source.name)
    return info._replace(channels=1) if reading.gray else info


def formats_of(target: Targets, batch: Batch, own: str) -> list[str]:
    """Of the results, by their names or as asked for; else as the image is, PNG on stdout."""
    if target.paths:
        return [format_of(path, batch) or own for path in target.paths]
    if batch.format:
        return [format_named(batch.format)]
    return ["PNG" if target.stdout else own]


def format_of(path: Path, batch: Batch) -> str | None:
    """The format of an output; None for a device such as /dev/null, which takes any."""
    if batch.format:
        return format_named(batch.format)
    if is_device(path):
        return None
    return format_for(path)
