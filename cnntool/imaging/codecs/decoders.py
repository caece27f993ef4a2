"""One reader a format: the checks that its decoder leaves out, and its frames as arrays.

Each `read_*` takes a seekable stream and what the caller wants, and returns an upright Image;
each `probe_*` returns what the headers say.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.imaging.codecs import deep, gif, jpeg, npy, pillow, png, pnm, tiff
from cnntool.imaging.codecs.orientation import split_orientation, swaps_sides
from cnntool.imaging.codecs.streams import Reading, check_finite, cut_short, damaged
from cnntool.imaging.image import WHITE, Frame, Image, ImageInfo, Metadata, alike, profile_fits

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def probe_png(stream: BinaryIO, reading: Reading) -> ImageInfo:
    layout = png.scan(stream, reading.name)
    channels = 1 if layout.color_type in (0, 4) else 3
    depth = {1: "1-bit", 16: "16-bit"}.get(layout.bit_depth, "8-bit")
    if layout.color_type == 3:
        depth = "8-bit"  # of its palette
    picture = pillow.open_picture(stream, "PNG", reading.name)
    mode = picture.mode
    if layout.is_deep_color:
        mode = {2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}[layout.color_type]
    alpha = layout.color_type in (4, 6) or layout.transparent is not None
    sides = _upright_sides(picture)
    return ImageInfo("PNG", *sides, channels, depth, layout.frames, mode, alpha)


def read_png(stream: BinaryIO, reading: Reading) -> Image:
    layout = png.scan(stream, reading.name)
    reading.check_size(layout.width, layout.height, layout.frames)
    png.verify(stream, layout, reading.name)
    picture = pillow.open_picture(stream, "PNG", reading.name)
    if layout.is_deep_color:
        return _read_deep_png(stream, layout, picture, reading)
    frames = []
    suspicious = layout.animated or layout.interlaced
    first = 1 if layout.animated and picture.info.get("default_image") else 0
    for index in range(first, first + layout.frames):
        picture.seek(index)
        picture.load()
        if index == first:
            orientation, metadata = _png_metadata(picture, layout)
        transparent = _transparent_samples(layout) if picture.mode in _KEYED else None
        frames.append(pillow.to_frame(picture, reading.gray, orientation, transparent))
        suspicious |= _last_row_is_zero(picture)
    if suspicious and not png.has_all_rows(stream, layout):
        raise cut_short(reading.name, "rows of pixels are missing")
    return _image(frames, "PNG", metadata, reading)


def _read_deep_png(
    stream: BinaryIO, layout: png.Layout, picture: Picture, reading: Reading
) -> Image:
    if layout.animated:
        raise InputError(
            f"{reading.name} is an animation of 16 bits per colour channel, which is not read: "
            "save it with 8 bits"
        )
    orientation, metadata = _png_metadata(picture, layout)
    samples = deep.read_png(stream, reading.name)
    if samples.shape[:2] != (layout.height, layout.width):
        raise damaged(reading.name, "its size is not what its header says")
    channels = 1 if layout.color_type == 4 else 3
    frame = deep.to_frame(samples, channels, orientation, reading.gray)
    return _image([frame], "PNG", metadata, reading)


_KEYED = ("1", "L", "I;16", "RGB")  # where tRNS names one colour; palettes are Pillow's to convert


def _transparent_samples(layout: png.Layout) -> tuple[int, ...] | None:
    """The see-through colour as the samples we keep: 8-bit for depths below."""
    count = {0: 1, 2: 3}.get(layout.color_type, 0)
    data = layout.transparent
    if not count or data is None or len(data) < 2 * count:
        return None
    samples = (int.from_bytes(data[2 * i : 2 * i + 2], "big") for i in range(count))
    if layout.bit_depth >= 8:
        return tuple(samples)
    return tuple(sample * 255 // ((1 << layout.bit_depth) - 1) for sample in samples)


def _png_metadata(picture: Picture, layout: png.Layout) -> tuple[int, Metadata]:
    if layout.exif:  # it may stand after the pixels, where Pillow finds it too late
        picture.info["exif"] = layout.exif
    return pillow.read_metadata(picture, "PNG")


def _last_row_is_zero(picture: Picture) -> bool:
    """What a row looks like that was never decoded."""
    width, height = picture.size
    return not any(picture.crop((0, height - 1, width, height)).tobytes())


def probe_tiff(stream: BinaryIO, reading: Reading) -> ImageInfo:
    pages = tiff.read_pages(stream, reading.name)
    first = pages[0]
    width, height = first.width, first.height
    if swaps_sides(first.orientation):
        width, height = height, width
    if first.is_deep:
        colors = "RGB" if first.channels == 3 else "L"
        mode = f"{colors}{'A' * first.has_alpha};{'float' if first.depth == 'float' else 16}"
    else:
        mode = pillow.open_picture(stream, "TIFF", reading.name).mode
    return ImageInfo(
        "TIFF", width, height, first.channels, first.depth, len(pages), mode, first.has_alpha
    )


def read_tiff(stream: BinaryIO, reading: Reading) -> Image:
    name = reading.name
    pages = tiff.read_pages(stream, name)
    size = stream.seek(0, os.SEEK_END)
    for page in pages:
        reading.check_size(page.width, page.height)
        tiff.verify(page, size, name)
    total = sum(page.width * page.height for page in pages)
    reading.check_pixels(total, pages[0].width, pages[0].height, len(pages))
    if any(page.is_deep for page in pages):
        return _read_deep_tiff(stream, pages, reading)
    picture = pillow.open_picture(stream, "TIFF", name)
    if any(page.is_compressed for page in pages):
        pillow.silence_libtiff()
    frames = []
    for index, page in enumerate(pages):
        picture.seek(index)
        pillow.check_mode(picture.mode, name)
        if index == 0:
            _, metadata = pillow.read_metadata(picture, "TIFF")
            metadata = Metadata(metadata.icc_profile, _tiff_dpi(page), metadata.exif)
        picture.load()  # and sets it upright
        frame = pillow.to_frame(picture, reading.gray, adjust=_tiff_adjustment(page))
        if page.depth == "float":
            check_finite(frame.pixels, name)
        frames.append(Frame(frame.pixels, frame.alpha))
    return _image(frames, "TIFF", metadata, reading)


def _read_deep_tiff(stream: BinaryIO, pages: list[tiff.Page], reading: Reading) -> Image:
    frames = [
        deep.to_frame(samples, page.channels, page.orientation, reading.gray)
        for page, samples in zip(pages, deep.read_tiff(stream, pages, reading.name), strict=True)
    ]
    metadata = Metadata(pages[0].icc_profile, _tiff_dpi(pages[0]))
    return _image(frames, "TIFF", metadata, reading)


def _tiff_dpi(page: tiff.Page) -> tuple[float, float] | None:
    dpi = pillow.plain_dpi(page.dpi)
    return dpi[::-1] if dpi and swaps_sides(page.orientation) else dpi


def _tiff_adjustment(page: tiff.Page) -> Callable[[np.ndarray], np.ndarray] | None:
    """What Pillow leaves undone: 12 bits to 16, and grey that counts from white."""
    if page.depth != "16-bit":
        return None
    inverted = page.photometric == tiff.WHITE_IS_ZERO
    if page.bits < 16:
        return partial(_from_bits, bits=page.bits, inverted=inverted)
    return (lambda samples: 65535 - samples) if inverted else None


def _from_bits(samples: np.ndarray, bits: int, inverted: bool) -> np.ndarray:
    most = (1 << bits) - 1
    samples = (samples.astype(np.uint32) * 65535 + most // 2) // most
    return 65535 - samples if inverted else samples


def probe_gif(stream: BinaryIO, reading: Reading) -> ImageInfo:
    layout = gif.scan(stream, reading.name)
    picture = pillow.open_picture(stream, "GIF", reading.name)
    channels = pillow.MODES[picture.mode].channels
    alpha = "transparency" in picture.info
    return ImageInfo(
        "GIF", layout.width, layout.height, channels, "8-bit", layout.frames, picture.mode, alpha
    )


def read_gif(stream: BinaryIO, reading: Reading) -> Image:
    layout = gif.scan(stream, reading.name)
    reading.check_size(layout.width, layout.height, layout.frames)
    picture = pillow.open_picture(stream, "GIF", reading.name)
    _, metadata = pillow.read_metadata(picture, "GIF")
    metadata = Metadata(loop=gif.plays(metadata.loop))
    frames = _all_frames(picture, layout.frames, reading.gray)
    return _image(frames, "GIF", metadata, reading)


def read_webp(stream: BinaryIO, reading: Reading) -> Image:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(4)
    if int.from_bytes(stream.read(4), "little") + 8 > size:
        raise cut_short(reading.name, "the end of the WebP is missing")
    picture = pillow.open_picture(stream, "WEBP", reading.name)
    count = picture.n_frames
    reading.check_size(*picture.size, count)
    orientation, metadata = pillow.read_metadata(picture, "WEBP")
    frames = _all_frames(picture, count, reading.gray, orientation)
    if count == 1:
        frames = [Frame(frames[0].pixels, frames[0].alpha)]
        metadata = Metadata(metadata.icc_profile, metadata.dpi, metadata.exif)
    return _image(frames, "WEBP", metadata, reading)


def read_jpeg(stream: BinaryIO, reading: Reading) -> Image:
    image = read_simple(stream, reading, "JPEG")
    stream.seek(0)
    data = stream.read()
    if not jpeg.has_end_mark(data):
        raise cut_short(reading.name, "the end of the JPEG is missing")
    pixels = image.frames[0].pixels
    corners = pixels[:: max(1, pixels.shape[0] - 1), :: max(1, pixels.shape[1] - 1)]
    if (corners == 128).all(axis=2).any():  # what a decoder paints where data are missing
        again = read_simple(io.BytesIO(jpeg.with_longer_scans(data)), reading, "JPEG")
        if not np.array_equal(pixels, again.frames[0].pixels):
            raise cut_short(reading.name, "part of the picture is missing")
    return image


def probe_simple(stream: BinaryIO, reading: Reading, format: str) -> ImageInfo:
    picture = pillow.open_picture(stream, format, reading.name)
    mode = pillow.MODES[picture.mode]
    frames = getattr(picture, "n_frames", 1) if format == "WEBP" else 1
    sides = _upright_sides(picture)
    return ImageInfo(format, *sides, mode.channels, mode.depth, frames, picture.mode, mode.alpha)


def read_simple(stream: BinaryIO, reading: Reading, format: str) -> Image:
    picture = pillow.open_picture(stream, format, reading.name)
    reading.check_size(*picture.size)
    picture.load()
    orientation, metadata = pillow.read_metadata(picture, format)
    frame = pillow.to_frame(picture, reading.gray, orientation)
    return _image([Frame(frame.pixels, frame.alpha)], format, metadata, reading)


def _all_frames(picture: Picture, count: int, gray: bool, orientation: int = 1) -> list[Frame]:
    frames = []
    for index in range(count):
        picture.seek(index)
        picture.load()
        frames.append(pillow.to_frame(picture, gray, orientation))
    return frames


def _upright_sides(picture: Picture) -> tuple[int, int]:
    orientation, _ = split_orientation(picture.info.get("exif"))
    return picture.size[::-1] if swaps_sides(orientation) else picture.size


def _image(frames: list[Frame], format: str, metadata: Metadata, reading: Reading) -> Image:
    """The image of these frames; an animation's are made alike."""
    if len(frames) > 1 and format != "TIFF":
        frames = alike(frames)
    white = WHITE.get(frames[0].pixels.dtype.name, reading.float_white)
    return Image(tuple(frames), white, format, _with_fitting_profile(metadata, frames))


def _with_fitting_profile(metadata: Metadata, frames: list[Frame]) -> Metadata:
    """A colour profile is wrong on a picture made grey, and the other way round."""
    if profile_fits(metadata.icc_profile, frames[0].pixels.shape[2]):
        return metadata
    return Metadata(None, metadata.dpi, metadata.exif, metadata.loop)


PROBES = {
    "PNG": probe_png,
    "TIFF": probe_tiff,
    "GIF": probe_gif,
    "WEBP": partial(probe_simple, format="WEBP"),
    "JPEG": partial(probe_simple, format="JPEG"),
    "BMP": partial(probe_simple, format="BMP"),
    "PPM": pnm.probe,
    "NPY": npy.probe,
}
READERS = {
    "PNG": read_png,
    "TIFF": read_tiff,
    "GIF": read_gif,
    "WEBP": read_webp,
    "JPEG": read_jpeg,
    "BMP": partial(read_simple, format="BMP"),
    "PPM": pnm.read,
    "NPY": npy.read,
}
