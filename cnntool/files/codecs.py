"""The file formats one by one, and the libraries behind some of them.

A format is a module with these functions, of which `read` and `probe` take a stream that starts
with the file's first byte:

- `probe(stream, reading) -> ImageInfo`: what the headers say, without decoding;
- `read(stream, reading) -> Image`: the checks that the decoder leaves out, and the frames, upright;
- `write(image, file, quality, label)`: an image that the format can hold, into a file open for
  writing. quality: 1 to 100, for those that have one. label: what to call the file in messages.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_MODULES = {
    "PNG": "png",
    "JPEG": "jpeg",
    "TIFF": "tiff",
    "WEBP": "webp",
    "BMP": "bmp",
    "PPM": "pnm",
    "GIF": "gif",
    "NPY": "npy",
}


def codec(format: str) -> ModuleType:
    """The module of a format ('PNG', ...), loaded when it is first asked for."""
    return importlib.import_module(f"cnntool.files.{_MODULES[format]}")
