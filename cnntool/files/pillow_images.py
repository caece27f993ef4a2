"""What the formats that Pillow decodes have in common: its pictures as our images."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from cnntool.files.image import WHITE, Frame, Image, ImageInfo, Metadata, alike, profile_fits
from cnntool.files.metadata import read_metadata
from cnntool.files.orientation import split_orientation, swaps_sides
from cnntool.files.pillow import MODES, open_picture
from cnntool.files.pillow_pixels import to_frame
from cnntool.files.streams import Reading

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def describe(picture: Picture, format: str, frames: int = 1) -> ImageInfo:
    """What the headers of an opened picture say, where Pillow has understood all of them."""
    mode = MODES[picture.mode]
    sides = upright_sides(picture)
    return ImageInfo(format, *sides, mode.channels, mode.depth, frames, picture.mode, mode.alpha)


def upright_sides(picture: Picture) -> tuple[int, int]:
    """Width and height as the picture is shown."""
    orientation, _ = split_orientation(picture.info.get("exif"))
    return picture.size[::-1] if swaps_sides(orientation) else picture.size


def read_single(stream: BinaryIO, reading: Reading, format: str) -> Image:
    """The one picture of a file, upright."""
    picture = open_picture(stream, format, reading.name)
    reading.check_size(*picture.size)
    picture.load()
    orientation, metadata = read_metadata(picture, picture.info.get("exif"))
    frame = to_frame(picture, reading.gray, orientation)
    return image_of([Frame(frame.pixels, frame.alpha)], format, metadata, reading)


def read_frames(
    picture: Picture, count: int, reading: Reading, orientation: int = 1
) -> list[Frame]:
    """The first `count` frames of an opened picture, upright."""
    frames = []
    for index in range(count):
        picture.seek(index)
        picture.load()
        frames.append(to_frame(picture, reading.gray, orientation))
    return frames


def image_of(frames: list[Frame], format: str, metadata: Metadata, reading: Reading) -> Image:
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
