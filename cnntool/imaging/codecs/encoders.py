"""One writer a format: the frames of an image, as the format's encoder takes them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.imaging.codecs import deep, gif, npy, pillow, png, pnm, webp
from cnntool.imaging.image import Frame, Image, Metadata, alike

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def encode(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """Write an image that its format can hold; InputError for whatever else the encoder throws.

    label: what to call the file in messages. quality: for JPEG and WebP.
    """
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
