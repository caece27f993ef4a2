"""Saving images: whole or not at all, and nothing that the format cannot hold."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from cnntool.errors import InputError, RequestError
from cnntool.imaging.atomic import atomic_write
from cnntool.imaging.codecs import codec
from cnntool.imaging.codecs.metadata import plain_dpi
from cnntool.imaging.formats import FORMATS, format_for, format_named
from cnntool.imaging.image import Image, Metadata, profile_fits

Target = str | os.PathLike | BinaryIO
DEFAULT_QUALITY = 90


def save_image(
    image: Image,
    target: Target,
    *,
    format: str | None = None,
    overwrite: bool = False,
    quality: int | None = None,
) -> None:
    """Write an image, whole or not at all.

    target: a path, whose extension tells the format unless `format` does; or a binary file
        object such as stdout, for which `format` must be given.
    overwrite: replace a file that exists; else it is refused.
    quality: 1 to 100, for JPEG and WebP; 90 if None.

    .npy is written as float32 with the values as they are. The metadata that the format can hold
    is written. RequestError for what the format cannot hold, InputError when the file cannot be
    written.
    """
    is_path = isinstance(target, (str, os.PathLike))
    label = os.fspath(target) if is_path else "stdout"
    if format is None and not is_path:
        raise RequestError("no file name tells the format: choose one with --format")
    chosen = format_for(target) if format is None else format_named(format)
    quality = _checked_quality(quality, chosen, label)
    check_holdable(image, chosen, label)
    image = Image(image.frames, image.white, chosen, _fitting_metadata(image, chosen))
    if not is_path:
        _write_stream(image, target, quality, label)
        return
    with atomic_write(target, overwrite) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _encode(image, file, quality, label)
        else:
            _write_stream(image, file, quality, label)


def _checked_quality(quality: int | None, format: str, label: str) -> int:
    if quality is None:
        return DEFAULT_QUALITY
    if not FORMATS[format].quality:
        raise RequestError(f"{label}: {format} has no quality to set: only JPEG and WebP do")
    if not 1 <= quality <= 100:
        raise RequestError(f"quality {quality} is out of range: give 1 to 100")
    return quality


def check_holdable(image: Image, format: str, label: str) -> None:
    """RequestError, with a remedy, for what the format cannot hold."""
    able = FORMATS[format]
    frames = image.frames
    dtypes = {frame.pixels.dtype.name for frame in frames}
    if unable := dtypes - set(able.dtypes):
        depth = {"uint16": "16 bits", "float32": "floats"}.get(min(unable), min(unable))
        others = "PNG, TIFF or PGM" if depth == "16 bits" else "TIFF or .npy"
        raise RequestError(f"{label}: {format} cannot hold {depth}: use {others}, or 8 bits")
    if len(dtypes) > 1:
        raise RequestError(f"{label}: the frames have different depths: save them separately")
    if any(frame.alpha is not None for frame in frames) and not able.alpha:
        raise RequestError(
            f"{label}: {format} cannot hold transparency: use PNG, TIFF or WebP, or --alpha drop"
        )
    if len(frames) > 1 and not able.frames:
        raise RequestError(
            f"{label}: {format} holds one picture, not {len(frames)} frames: use GIF, PNG, WebP "
            "or TIFF"
        )
    for frame in frames:
        height, width, channels = frame.pixels.shape
        if format != "NPY" and channels not in (1, 3):
            raise RequestError(
                f"{label}: {format} holds 1 or 3 channels, not {channels}: save it as .npy"
            )
        if max(height, width) > able.longest_side:
            raise RequestError(
                f"{label}: {format} is at most {able.longest_side} pixels wide or high, and the "
                f"image is {width} x {height}: use PNG or TIFF"
            )
        if format != "TIFF" and (height, width) != frames[0].pixels.shape[:2]:
            raise RequestError(f"{label}: the frames differ in size: only TIFF holds such pages")


def _fitting_metadata(image: Image, format: str) -> Metadata:
    """The metadata without a profile for other channels than the file will have."""
    kept = image.metadata
    channels = max(frame.pixels.shape[2] for frame in image.frames)
    stored = 3 if format == "WEBP" else channels
    profile = kept.icc_profile
    if not (profile_fits(profile, channels) and profile_fits(profile, stored)):
        profile = None
    return Metadata(profile, plain_dpi(kept.dpi), kept.exif, kept.loop)


def _write_stream(image: Image, stream: BinaryIO, quality: int, label: str) -> None:
    """To what cannot be taken back or sought in: only once all is encoded."""
    if image.format in ("PPM", "NPY"):  # these cannot fail half-way
        _encode(image, stream, quality, label)
    else:
        buffer = io.BytesIO()
        _encode(image, buffer, quality, label)
        stream.write(buffer.getbuffer())
    stream.flush()


def _encode(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    with _plain_errors(label):
        codec(image.format).write(image, file, quality, label)


@contextmanager
def _plain_errors(label: str) -> Iterator[None]:
    """One line for whatever an encoder throws; errors of the disk or a pipe stay as they are."""
    try:
        yield
    except (InputError, RequestError):
        raise
    except MemoryError:
        raise InputError(f"{label} cannot be written: not enough memory") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{label} cannot be written: {reason[:120]}") from None
