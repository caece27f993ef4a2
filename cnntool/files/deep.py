"""Deep colour: 16 bits or floats in more than one sample, through the extra `deep`.

Pillow reads these at 8 bits or not at all. imagecodecs decodes the PNGs, tifffile the TIFFs.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import Frame, Image, luminance
from cnntool.files.orientation import upright
from cnntool.files.pillow import silence
from cnntool.files.streams import check_finite, damaged
from cnntool.files.tiff_pages import FLOAT, RGB, WHITE_IS_ZERO, Page


def read_png(stream: BinaryIO, name: str) -> np.ndarray:
    """The samples of a 16-bit PNG: uint16 (H, W, S), S from 2 to 4, alpha last."""
    imagecodecs = _extra("imagecodecs", name, "has 16 bits per colour channel, which needs")
    stream.seek(0)
    samples = imagecodecs.png_decode(stream.read())
    if samples.dtype != np.uint16 or samples.ndim != 3:
        raise damaged(name, "its depth is not what its header says")
    return samples


def read_tiff(stream: BinaryIO, pages: list[Page], name: str) -> list[np.ndarray]:
    """The samples of each page: uint16 or float32 (H, W, S), alpha last when the page has one."""
    what = "floats" if pages[0].sample_format == FLOAT else "16 bits per colour channel"
    tifffile = _extra("tifffile", name, f"has {what}, which needs")
    _extra("imagecodecs", name, f"has {what}, which needs")
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        if len(file.pages) != len(pages):
            raise damaged(name, "its pages cannot all be read")
        return [_page_samples(file.pages[i], page, name) for i, page in enumerate(pages)]


def write_tiff(image: Image, file: BinaryIO, label: str) -> None:
    """An uncompressed TIFF of uint16 or float32 pages, with colour or alpha."""
    tifffile = _extra("tifffile", label, "would have more than 8 bits per channel, which needs")
    metadata = image.metadata
    with tifffile.TiffWriter(file) as writer:
        for frame in image.frames:
            samples = frame.pixels
            if frame.alpha is not None:
                samples = np.concatenate([samples, frame.alpha[..., None]], axis=2)
            single = samples.shape[2] == 1
            writer.write(
                samples[..., 0] if single else samples,
                photometric="rgb" if frame.pixels.shape[2] == 3 else "minisblack",
                planarconfig=None if single else "contig",
                extrasamples=["unassalpha"] if frame.alpha is not None else None,
                resolution=metadata.dpi,
                resolutionunit="INCH" if metadata.dpi else None,
                iccprofile=metadata.icc_profile,
                metadata=None,
                software=False,
            )


def to_frame(samples: np.ndarray, channels: int, orientation: int, gray: bool) -> Frame:
    """A frame of samples (H, W, S): `channels` of colour, then perhaps alpha; set upright."""
    pixels = samples[..., :channels]
    alpha = samples[..., channels] if samples.shape[2] > channels else None
    if gray and channels == 3:
        pixels = luminance(pixels)
    return Frame(
        upright(pixels, orientation), None if alpha is None else upright(alpha, orientation)
    )


def _page_samples(page: object, expected: Page, name: str) -> np.ndarray:
    samples = page.asarray()
    if page.axes == "SYX":  # each channel a plane of its own
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.shape[:2] != (expected.height, expected.width):
        raise damaged(name, "a page has another size than its header says")
    wanted = np.float32 if expected.sample_format == FLOAT else np.uint16
    samples = np.ascontiguousarray(samples, wanted)
    channels = 3 if expected.photometric == RGB else 1
    if samples.shape[2] > channels + 1 or (samples.shape[2] > channels and not expected.has_alpha):
        samples = samples[..., : channels + expected.has_alpha]
    if expected.sample_format == FLOAT:
        check_finite(samples, name)
    elif expected.photometric == WHITE_IS_ZERO:
        samples[..., 0] = 65535 - samples[..., 0]
    if expected.has_alpha and 1 in expected.tags.get(338, ()):
        samples = _unassociated(samples)
    return samples


def _unassociated(samples: np.ndarray) -> np.ndarray:
    """Colours that were stored multiplied by alpha, divided by it again."""
    white = 1.0 if samples.dtype == np.float32 else 65535.0
    alpha = samples[..., -1:].astype(np.float32) / white
    colors = samples[..., :-1] / np.where(alpha == 0, 1, alpha)
    if samples.dtype == np.uint16:
        colors = np.rint(colors).clip(0, 65535)
    return np.concatenate([colors.astype(samples.dtype), samples[..., -1:]], axis=2)


def _extra(module: str, name: str, what: str) -> ModuleType:
    silence(module)
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{name} {what} an extra: pip install 'cnntool[deep]'") from None
