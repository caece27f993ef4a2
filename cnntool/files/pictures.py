"""The formats that Pillow decodes and encodes: read whole and upright, written with what came.

What it does not check is in png.py, jpeg.py and whole.py, what it would reduce in deep.py, the
animations that it would shorten in animations.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files import png, png_rows, whole
from cnntool.files.formats import FORMATS, behind
from cnntool.files.image import (
    Frame,
    Image,
    ImageInfo,
    Metadata,
    alike,
    frame_of,
    full_range,
    swaps_sides,
)
from cnntool.files.layout import Writer, layout_of
from cnntool.files.limits import Limits
from cnntool.files.pillow import (
    READ_AS,
    image_of,
    left_out_of,
    load_plugin,
    open_picture,
    read_metadata,
    save_options,
    to_frame,
    to_picture,
    transparent_samples,
)
from cnntool.files.png_encoder import PngWriter
from cnntool.files.streams import cut_short

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def probe(stream: BinaryIO, limits: Limits) -> ImageInfo:
    """What the headers say."""
    format = limits.format
    count, header = _check_animation(stream, limits), None
    if format == "PNG":
        _, contents, picture = png.opened(stream, limits, pixels=False)
        header = contents.header
    else:
        picture = open_picture(stream, limits)
    mode, kept = picture.mode, READ_AS[picture.mode]
    depth = {"1": "1-bit", "I": "16-bit", "F": "float"}.get(mode[0], "8-bit")
    channels = 3 if kept.startswith("RGB") else 1
    alpha = kept.endswith("A") or (format in ("PNG", "GIF") and "transparency" in picture.info)
    if header is not None and header.is_deep_color:
        channels, alpha = {2: (3, alpha), 4: (1, True), 6: (3, True)}[header.color_type]
        depth, mode = "16-bit", {2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}[header.color_type]
    orientation, _ = read_metadata(picture)
    sides = picture.size[::-1] if swaps_sides(orientation) else picture.size
    count = count or len(_places(picture, format))
    return ImageInfo(format, *sides, channels, depth, count, mode, alpha)


def read(stream: BinaryIO, limits: Limits) -> Image:
    """Every frame as it is shown, upright; InputError when any of it is missing."""
    if limits.format == "PNG":
        return _read_png(stream, limits)
    if limits.format == "JPEG":
        from cnntool.files import jpeg_rows  # of which no other format needs to know

        return jpeg_rows.read(stream, limits)
    if limits.format in ("AVIF", "JPEG2000"):
        return _read_boxed(stream, limits)
    count = _check_animation(stream, limits)
    more = behind(stream.read()) if limits.format in ("GIF", "WEBP") else ()
    image = _image(open_picture(stream, limits), limits, count=count)
    return replace(image, left_out=(*image.left_out, *more))


def _read_boxed(stream: BinaryIO, limits: Limits) -> Image:
    """AVIF and JPEG 2000, of which Pillow keeps 8 bits a channel but in deep grey."""
    bits = whole.check_boxes(stream, limits)
    image = _image(open_picture(stream, limits), limits)
    if bits <= 8:
        return image
    if image.frames[0].pixels.dtype == np.uint8:
        lost = f"{bits - 8} of its {bits} bits per channel"
        return replace(image, left_out=(*image.left_out, lost))
    pixels = full_range(image.frames[0].pixels >> max(0, 16 - bits), min(bits, 16))
    return replace(image, frames=(replace(image.frames[0], pixels=pixels),))


def _check_animation(stream: BinaryIO, limits: Limits) -> int | None:
    """The frames of a GIF; InputError for one and for a WebP that is not whole, or too large. The
    stream stands behind it then.

    Pillow makes room for both when it opens them.
    """
    if limits.format == "GIF":
        width, height, count = whole.check_gif(stream, limits.name)
        limits.check_size(width, height, count)
        return count
    if limits.format == "WEBP":
        limits.check_size(*whole.check_webp(stream, limits.name))
    return None


def _read_png(stream: BinaryIO, limits: Limits) -> Image:
    stream, contents, picture = png.opened(stream, limits)
    header, name = contents.header, limits.name
    if header.is_deep_color:
        image = _read_deep_png(stream, header, picture, limits)
    else:
        image = _image(picture, limits, header.bit_depth)
        width, height = picture.size
        last_row = picture.crop((0, height - 1, width, height)).tobytes()
        is_suspect = header.interlaced or len(image.frames) > 1 or not any(last_row)
        if is_suspect and not png.has_all_rows(stream, header, name):
            raise cut_short(name, "rows of pixels are missing")
    return replace(image, left_out=tuple(dict.fromkeys(contents.left_out)))


def _read_deep_png(stream: BinaryIO, header: png.Header, picture: Picture, limits: Limits) -> Image:
    limits.check_size(*picture.size, len(_places(picture, "PNG")))
    if getattr(picture, "is_animated", False):
        raise InputError(
            f"{limits.name} is an animation of 16 bits per colour channel, which is not read: "
            "save it with 8 bits"
        )
    orientation, metadata = read_metadata(picture)
    samples = png_rows.read_deep_samples(stream, header, limits.name)
    channels = 1 if header.color_type == 4 else 3
    if header.color_type == 2 and "transparency" in picture.info:
        samples = png_rows.with_see_through(samples, picture.info["transparency"])
    return image_of([frame_of(samples, channels, limits.gray, orientation)], metadata, limits)


def _image(picture: Picture, limits: Limits, bits: int = 8, count: int | None = None) -> Image:
    """The frames of an opened picture: all, or the first ``count`` of them."""
    format = limits.format
    places = range(count) if count else _places(picture, format)
    limits.check_size(*picture.size, len(places))
    orientation, metadata = read_metadata(picture)
    left_out = left_out_of(picture)
    frames: list[Frame] = []
    for place in places:
        picture.seek(place)
        picture.load()
        transparent = transparent_samples(picture, bits) if format == "PNG" else None
        frames.append(to_frame(picture, limits.gray, orientation, transparent))
    if format == "GIF":  # which counts repeats
        loop = metadata.loop
        metadata = Metadata(loop=loop + 1 if loop else loop)
    elif format != "PNG" and len(frames) == 1:  # libwebp tells a time of a still picture, too
        frames = [Frame(frames[0].pixels, frames[0].alpha)]
        metadata = replace(metadata, loop=None)
    return replace(image_of(frames, metadata, limits), left_out=left_out)


def _places(picture: Picture, format: str) -> range:
    """Which pictures of a file are its frames."""
    if format in ("JPEG", "BMP", "JPEG2000"):
        return range(1)
    has_cover = picture.info.get("default_image", False)  # shown where APNG is not known
    return range(int(has_cover), getattr(picture, "n_frames", 1))


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """One picture with its metadata, or an animation of all frames."""
    format, frames, metadata = image.format, alike(image.frames), image.metadata
    settings = {"quality": quality} if FORMATS[format].quality else {}
    with_metadata = settings | save_options(metadata, format)
    if len(frames) == 1 and format != "GIF":
        _save(frames[0], file, format, with_metadata)
        return
    from cnntool.files import animations  # few pictures are any

    if format == "GIF":
        animations.write_gif(frames, metadata.loop, file)
    elif format == "PNG":
        pictures = (
            _encoded(frame, format, settings if index else with_metadata)
            for index, frame in enumerate(frames)
        )
        animations.write_apng(pictures, frames, metadata.loop, file)
    else:
        pictures = (_encoded(frame, format, settings) for frame in frames)
        animations.write_webp(pictures, frames, metadata, file)


def _encoded(frame: Frame, format: str, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    _save(frame, buffer, format, options)
    return buffer.getvalue()


def _save(frame: Frame, file: BinaryIO, format: str, options: Mapping[str, Any]) -> None:
    make: Callable[..., Writer]
    if format == "PNG":
        make = PngWriter  # Pillow's has no 16-bit colour, and takes one and a half times as long
    elif format == "JPEG":
        from cnntool.files.jpeg_rows import JpegWriter as make
    else:
        load_plugin(format, "the image")
        to_picture(frame).save(file, format, **options)
        return
    writer = make(file, layout_of(Image((frame,), 0.0, format)), options)
    writer.write(frame)
    writer.finish()
