"""Saving images: the checks, the encoder a format needs, whole or not at all."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.imaging.atomic import atomic_write
from cnntool.imaging.codecs import deep, gif, npy, pillow, png, pnm, webp
from cnntool.imaging.formats import FORMATS, format_for, format_named
from cnntool.imaging.image import Frame, Image, Metadata, alike, profile_fits

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

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
    _check_holdable(image, chosen, label)
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


def _check_holdable(image: Image, format: str, label: str) -> None:
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
            f"{label}: {format} cannot hold transparency: use PNG, TIFF or WebP, or drop the alpha"
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
    return Metadata(profile, pillow.plain_dpi(kept.dpi), kept.exif, kept.loop)


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
        if image.format == "PNG":
            _write_png(image, file)
        elif image.format == "TIFF":
            _write_tiff(image, file, label)
        elif image.format == "GIF":
            gif.write(image, file)
        elif image.format == "WEBP":
            _write_webp(image, file, quality)
        elif image.format == "PPM":
            pnm.write(image, file, label)
        elif image.format == "NPY":
            npy.write(image, file, label)
        else:
            _write_simple(image, file, quality)


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


def _write_png(image: Image, file: BinaryIO) -> None:
    frames = alike(list(image.frames))
    first = frames[0]
    if len(frames) == 1 and not _is_deep(first):
        picture = _picture(first)
        picture.save(file, "PNG", **_png_compression(picture), **_kept(image.metadata))
        return
    png.write_chunks(file, map(_bare_png, frames), frames, image.metadata)


def _bare_png(frame: Frame) -> bytes:
    if _is_deep(frame):
        return png.encode_deep(frame)
    buffer = io.BytesIO()
    picture = _picture(frame)
    picture.save(buffer, "PNG", **_png_compression(picture))
    return buffer.getvalue()


_RUNS = {"compress_level": 1, "compress_type": 3}  # Z_RLE: fastest, and small for photographs
_REPEATS = {"compress_level": 4, "compress_type": 0}  # far smaller for drawings and screens


def _png_compression(picture: Picture) -> dict[str, int]:
    """The setting that suits the picture, by a trial on a few of its rows."""
    width, height = picture.size
    if width * height < 1 << 16:
        return _REPEATS
    sample = pillow.library().new(picture.mode, (width, 64))
    for band in range(4):
        top = (height - 16) * band // 3
        sample.paste(picture.crop((0, top, width, top + 16)), (0, 16 * band))
    return _REPEATS if 4 * _size(sample, _REPEATS) < 3 * _size(sample, _RUNS) else _RUNS


def _size(picture: Picture, compression: dict[str, int]) -> int:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **compression)
    return buffer.tell()


def _write_tiff(image: Image, file: BinaryIO, label: str) -> None:
    first = image.frames[0].pixels
    if first.dtype != np.uint8 and any(_is_deep(frame) for frame in image.frames):
        deep.write_tiff(image, file, label)
        return
    pictures = [_picture(frame) for frame in image.frames]
    options = _kept(image.metadata)
    if exif := options.pop("exif", None):
        options.update(_tiff_exif(exif))
    pictures[0].save(
        file, "TIFF", save_all=len(pictures) > 1, append_images=pictures[1:], **options
    )


def _tiff_exif(exif: bytes) -> dict[str, object]:
    """The descriptive tags, if a TIFF takes them: those of storage would belie the file."""
    try:
        tags = pillow.library().Exif()
        tags.load(exif)
        options = {"exif": pillow.descriptive_exif(tags).tobytes()}
        pillow.library().new("L", (1, 1)).save(io.BytesIO(), "TIFF", **options)
    except Exception:  # malformed tags of any kind: the picture is worth more than they
        return {}
    return options


def _write_webp(image: Image, file: BinaryIO, quality: int) -> None:
    frames = alike(list(image.frames))
    if len(frames) > 1:
        pictures = (_bare_webp(frame, quality) for frame in frames)
        webp.write_animation(file, pictures, frames, image.metadata)
        return
    options = _kept(image.metadata)
    options.pop("dpi", None)
    _picture(frames[0]).save(file, "WEBP", quality=quality, **options)


def _bare_webp(frame: Frame, quality: int) -> bytes:
    buffer = io.BytesIO()
    _picture(frame).save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def _write_simple(image: Image, file: BinaryIO, quality: int) -> None:
    """JPEG and BMP."""
    options = _kept(image.metadata)
    if image.format == "JPEG":
        options["quality"] = quality
        if len(options.get("exif", b"")) > 65533:
            del options["exif"]  # it does not fit into one segment
    else:
        options.pop("exif", None)
        options.pop("icc_profile", None)
    _picture(image.frames[0]).save(file, image.format, **options)


def _kept(metadata: Metadata) -> dict[str, object]:
    kept = {"icc_profile": metadata.icc_profile, "dpi": metadata.dpi, "exif": metadata.exif}
    return {name: value for name, value in kept.items() if value}


def _is_deep(frame: Frame) -> bool:
    """Whether Pillow has no mode for the frame."""
    many = frame.pixels.shape[2] > 1 or frame.alpha is not None
    return frame.pixels.dtype != np.uint8 and many


def _picture(frame: Frame) -> Picture:
    """The frame as Pillow's; without a copy for grey."""
    module = pillow.library()
    pixels = np.ascontiguousarray(frame.pixels)
    single = pixels.shape[2] == 1
    picture = module.fromarray(pixels[..., 0] if single else pixels)
    if frame.alpha is None:
        return picture
    alpha = module.fromarray(np.ascontiguousarray(frame.alpha))
    if single:
        return module.merge("LA", (picture, alpha))
    picture.putalpha(alpha)
    return picture
