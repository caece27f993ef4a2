"""Open and save images: bytes to arrays at their own depth, and back, whole or not at all.

>>> image = open_image("photo.jpg")              # doctest: +SKIP
>>> image.frames[0].pixels.shape                 # doctest: +SKIP
(3000, 4000, 3)
>>> save_image(image, "copy.png")                # doctest: +SKIP

Formats: PNG and APNG, JPEG, TIFF, WebP, BMP, PNM/PGM/PPM, GIF, .npy.
"""

from cnntool.imaging.atomic import atomic_write
from cnntool.imaging.formats import EXTENSIONS, FORMATS, can_hold, format_for, format_named
from cnntool.imaging.image import Frame, Image, ImageInfo, Metadata, luminance
from cnntool.imaging.reading import MAX_PIXELS, open_image, probe_image
from cnntool.imaging.writing import DEFAULT_QUALITY, save_image

__all__ = [
    "DEFAULT_QUALITY",
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "Frame",
    "Image",
    "ImageInfo",
    "Metadata",
    "atomic_write",
    "can_hold",
    "format_for",
    "format_named",
    "luminance",
    "open_image",
    "probe_image",
    "save_image",
]
