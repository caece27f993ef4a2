"""PNG and APNG: read and written through Pillow, and beyond what it can do with our own chunks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from cnntool.errors import InputError
from cnntool.files import whole
from cnntool.files.image import Frame, Image, ImageInfo, alike
from cnntool.files.metadata import read_metadata, save_options
from cnntool.files.pillow import library, open_picture
from cnntool.files.pillow_images import image_of, upright_sides
from cnntool.files.pillow_pixels import is_deep, to_frame, to_picture
from cnntool.files.streams import Reading, cut_short, damaged

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the header and the chunks before the pixels say."""
    layout = whole.scan(stream, reading.name)
    channels = 1 if layout.color_type in (0, 4) else 3
    depth = {1: "1-bit", 16: "16-bit"}.get(layout.bit_depth, "8-bit")
    if layout.color_type == 3:
        depth = "8-bit"  # of its palette
    picture = open_picture(stream, "PNG", reading.name)
    mode = picture.mode
    if layout.is_deep_color:
        mode = {2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}[layout.color_type]
    alpha = layout.color_type in (4, 6) or layout.transparent is not None
    sides = upright_sides(picture)
    return ImageInfo("PNG", *sides, channels, depth, layout.frames, mode, alpha)


def read(stream: BinaryIO, reading: Reading) -> Image:
    """Every frame; InputError for a file that is cut, or does not match its checksums."""
    layout = whole.scan(stream, reading.name)
    reading.check_size(layout.width, layout.height, layout.frames)
    exif = whole.verify(stream, reading.name)
    picture = open_picture(stream, "PNG", reading.name)
    if layout.is_deep_color:
        return _read_deep(stream, layout, picture, exif, reading)
    frames = []
    suspicious = layout.animated or layout.interlaced
    first = 1 if layout.animated and picture.info.get("default_image") else 0
    for index in range(first, first + layout.frames):
        picture.seek(index)
        picture.load()
        if index == first:
            orientation, metadata = read_metadata(picture, exif or picture.info.get("exif"))
        transparent = _transparent_samples(layout) if picture.mode in _KEYED else None
        frames.append(to_frame(picture, reading.gray, orientation, transparent))
        suspicious |= _last_row_is_zero(picture)
    if suspicious and not whole.has_all_rows(stream, layout):
        raise cut_short(reading.name, "rows of pixels are missing")
    return image_of(frames, "PNG", metadata, reading)


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """One picture, or an animation of all frames; compressed as suits the picture."""
    frames = alike(list(image.frames))
    first = frames[0]
    if len(frames) == 1 and not is_deep(first):
        picture = to_picture(first)
        picture.save(file, "PNG", **_compression(picture), **save_options(image.metadata))
        return
    whole.write_chunks(file, map(_bare, frames), frames, image.metadata)


def _read_deep(
    stream: BinaryIO,
    layout: whole.Layout,
    picture: Picture,
    exif: bytes | None,
    reading: Reading,
) -> Image:
    from cnntool.files import deep

    if layout.animated:
        raise InputError(
            f"{reading.name} is an animation of 16 bits per colour channel, which is not read: "
            "save it with 8 bits"
        )
    orientation, metadata = read_metadata(picture, exif or picture.info.get("exif"))
    samples = deep.read_png(stream, reading.name)
    if samples.shape[:2] != (layout.height, layout.width):
        raise damaged(reading.name, "its size is not what its header says")
    channels = 1 if layout.color_type == 4 else 3
    frame = deep.to_frame(samples, channels, orientation, reading.gray)
    return image_of([frame], "PNG", metadata, reading)


_KEYED = ("1", "L", "I;16", "RGB")  # where tRNS names one colour; palettes are Pillow's to convert


def _transparent_samples(layout: whole.Layout) -> tuple[int, ...] | None:
    """The see-through colour as the samples we keep: 8-bit for depths below."""
    count = {0: 1, 2: 3}.get(layout.color_type, 0)
    data = layout.transparent
    if not count or data is None or len(data) < 2 * count:
        return None
    samples = (int.from_bytes(data[2 * i : 2 * i + 2], "big") for i in range(count))
    if layout.bit_depth >= 8:
        return tuple(samples)
    return tuple(sample * 255 // ((1 << layout.bit_depth) - 1) for sample in samples)


def _last_row_is_zero(picture: Picture) -> bool:
    """What a row looks like that was never decoded."""
    width, height = picture.size
    return not any(picture.crop((0, height - 1, width, height)).tobytes())


def _bare(frame: Frame) -> bytes:
    """A PNG file of the frame and nothing else."""
    if is_deep(frame):
        return whole.encode_deep(frame)
    buffer = io.BytesIO()
    picture = to_picture(frame)
    picture.save(buffer, "PNG", **_compression(picture))
    return buffer.getvalue()


_RUNS = {"compress_level": 1, "compress_type": 3}  # Z_RLE: fastest, and small for photographs
_REPEATS = {"compress_level": 4, "compress_type": 0}  # far smaller for drawings and screens


def _compression(picture: Picture) -> dict[str, int]:
    """The setting that suits the picture, by a trial on a few of its rows."""
    width, height = picture.size
    if width * height < 1 << 16:
        return _REPEATS
    sample = library().new(picture.mode, (width, 64))
    for band in range(4):
        top = (height - 16) * band // 3
        sample.paste(picture.crop((0, top, width, top + 16)), (0, 16 * band))
    return _REPEATS if 4 * _size(sample, _REPEATS) < 3 * _size(sample, _RUNS) else _RUNS


def _size(picture: Picture, compression: dict[str, int]) -> int:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **compression)
    return buffer.tell()
