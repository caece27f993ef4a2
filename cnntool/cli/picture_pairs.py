"""A picture and what a filter made of it, read as numbers in the units of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.cli.files import STDIO, check_stdin, source_of
from cnntool.cli.image_route import open_source
from cnntool.cli.options import Reading
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Image, first_alone, luminance
from cnntool.imaging.transparency import hides
from cnntool.study.recovery.window_equations import Pair
from cnntool.wording import counted


@dataclass(frozen=True, eq=False)
class Pictures:
    """The two pictures and what is to be said of them. gray: whether BEFORE was made grey."""

    names: tuple[str, str]
    pair: Pair
    gray: bool
    depth: str | None
    notes: tuple[str, ...]


def read_pair(names: tuple[str, str]) -> Pictures:
    """Two pictures as numbers in the units of the first one."""
    check_stdin(list(names))
    if names[0] == STDIO == names[1]:
        raise RequestError("stdin can be read once, and both pictures are to come from it")
    sources = [source_of(name) for name in names]
    images = [open_source(source, Reading()) for source in sources]
    titles = sources[0].name, sources[1].name
    notes = []
    for title, image in zip(titles, images, strict=True):
        if note := first_alone(title, image):
            notes.append(note)
        if hides(image.frames[0].alpha, image.white):
            notes.append(f"{title} has transparent pixels: their colours are taken as they are")
    if images[1].format in ("JPEG", "WEBP", "AVIF", "JPEG2000"):
        notes.append(
            f"{titles[1]} is a {images[1].format}, whose compression changes pixels by more than "
            "rounding: a PNG of it tells more"
        )
    before, after = (image.frames[0].pixels for image in images)
    before, after, is_gray = _alike_channels(before, after, titles)
    pair = _pair(before, after, images)
    depths = {"uint8": "8", "uint16": "16"}
    own, other = before.dtype.name, after.dtype.name
    is_npy = images[1].format == "NPY"
    depth = None if own == other or is_npy else depths.get(other, "float")
    return Pictures(titles, pair, is_gray, depth, tuple(notes))


def _alike_channels(
    before: np.ndarray, after: np.ndarray, titles: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The two with as many channels; of a picture whose channels are all alike one is enough."""
    if after.shape[2] == 3 and _is_gray(after) and (before.shape[2] == 1 or _is_gray(before)):
        after = after[..., :1]
    if before.shape[2] == 3 and after.shape[2] == 1:
        if _is_gray(before):
            return np.ascontiguousarray(before[..., :1]), after, False
        return luminance(before), after, True
    if before.shape[2] != after.shape[2]:
        raise InputError(
            f"{titles[0]} has {counted(before.shape[2], 'channel')} and {titles[1]} "
            f"{after.shape[2]}: name two of as many, or a grey one made of one in colour"
        )
    return before, after, False


def _is_gray(pixels: np.ndarray) -> bool:
    return bool((pixels == pixels[..., :1]).all())


def _pair(before: np.ndarray, after: np.ndarray, images: list[Image]) -> Pair:
    """What of AFTER is black or white may be clipped; of floats nothing is."""
    white, top = images[0].white, images[1].white
    is_float = "f" in (before.dtype.kind, after.dtype.kind)
    is_small = after.dtype.kind == "u" and not is_float  # 16 bits times any step fit 24
    values = after.astype(np.float32 if is_small and white == top else np.float64)
    if not np.ptp(before):
        raise _flat("BEFORE")
    if not np.ptp(after):
        raise _flat("AFTER")
    if after.dtype.kind == "f":
        is_whole = bool((values[::3, ::3] == np.rint(values[::3, ::3])).all())
        step = 1.0 if is_whole and values.max() > 1 and before.dtype.kind != "f" else 0.0
        is_pixel = step and values.min() >= 0 and values.max() <= white
        if not is_pixel:
            return Pair(before, values, np.ones(values.shape, bool), 0.0, white)
    else:
        step = 1.0 if is_float else white / top
    used = (values > 0) & (values < (top if after.dtype.kind != "f" else white))
    if not used.any():
        raise InputError(
            "AFTER is black or white everywhere, which may all be clipped: a threshold, perhaps; "
            "name one with values between"
        )
    values *= step
    return Pair(before, values, used, float(step), white)


def _flat(which: str) -> InputError:
    return InputError(
        f"{which} is the same everywhere, so it determines no kernel: name a picture with detail, "
        "such as a photograph"
    )
