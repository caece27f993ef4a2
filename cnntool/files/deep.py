"""Deep TIFFs: 16 bits or floats in more than one sample, which Pillow reduces or does not read.

The extra `deep` does it: tifffile, and imagecodecs for what is compressed.
"""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files import jpeg, png, whole
from cnntool.files.image import WHITE, full_range, light_of_inks
from cnntool.files.pillow import silence
from cnntool.files.streams import check_finite, damaged
from cnntool.files.tiff_pages import CMYK, FLOAT, PALETTE, WHITE_IS_ZERO, Page


def read_tiff(stream: BinaryIO, pages: list[Page], name: str) -> list[np.ndarray]:
    """The samples of each page: uint8, uint16 or float32 (H, W, S), colour and perhaps alpha."""
    for page in pages:
        _check_pictures(stream, page, name)
    with _tiff_file(stream, pages[0], name) as file:
        return [_page_samples(file.pages[i], page, name) for i, page in enumerate(pages)]


def check_tiff(stream: BinaryIO, page: Page, name: str) -> None:
    """InputError where the only page of a file is another for the library than for us."""
    with _tiff_file(stream, page, name) as file:
        _check_samples(file.pages[0], page, name)


@contextmanager
def _tiff_file(stream: BinaryIO, page: Page, name: str) -> Iterator[Any]:
    tifffile, _ = (_extra(module, page, name) for module in ("tifffile", "imagecodecs"))
    stream.seek(0)
    try:
        with tifffile.TiffFile(stream) as file:
            yield file
    except (InputError, MemoryError):
        raise
    except Exception:  # of any kind: what a directory can say is more than is supported
        raise _not_read(page, name) from None


_PACKERS = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions of bytes, which are unpacked to the size of a piece and no further."""
_PICTURES: dict[int, Callable[[bytes, str], tuple[int, ...]]] = {
    7: jpeg.size_of,
    50001: lambda data, _: whole.webp_size(data),
    34887: lambda data, _: whole.lerc_size(data),
    34933: lambda data, name: png.read_header(io.BytesIO(data), name)[:2],
    **dict.fromkeys((33003, 33004, 33005, 34712), lambda data, _: whole.jpeg_2000_sizes(data)),
}
"""Those that make a piece a picture of its own, by what tells its size."""


def _check_pictures(stream: BinaryIO, page: Page, name: str) -> None:
    """InputError for a piece that would unpack to more than it has room for."""
    if page.compression in _PACKERS:
        return
    if page.compression not in _PICTURES:
        raise _not_read(page, name)
    across, down = page.piece
    for offset, count in zip(page.offsets.tolist(), page.counts.tolist(), strict=False):
        stream.seek(offset)
        head = stream.read(min(count, 1 << 16))
        try:
            width, height, *_ = _PICTURES[page.compression](head, name)
        except (ValueError, struct.error):
            raise _not_read(page, name) from None
        if width > across + 16 or height > down + 16:
            raise damaged(name, f"a piece of {across} x {down} says that it is {width} x {height}")


def _not_read(page: Page, name: str) -> InputError:
    return InputError(
        f"{name} has {page.kind}, in a way that is not read: convert it to RGB or grey of 8 bits"
    )


def _check_samples(page: Any, expected: Page, name: str) -> None:
    if page.size != expected.height * expected.width * expected.samples:
        raise damaged(name, "a page has another size than its header says")


def _page_samples(page: Any, expected: Page, name: str) -> np.ndarray:
    _check_samples(page, expected, name)
    samples = page.asarray()
    if page.axes == "SYX":  # each channel a plane of its own
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(expected.height, expected.width, expected.samples)
    alpha, colors = expected.alpha_sample, expected.colors
    is_float = expected.sample_format == FLOAT
    if expected.photometric == PALETTE:
        samples = np.moveaxis(page.colormap[:, samples[..., 0]], 0, -1)
        return samples if expected.depth == "16-bit" else (samples >> 8).astype(np.uint8)
    kept = [samples[..., :colors]] + ([] if alpha is None else [samples[..., alpha, None]])
    samples = np.concatenate(kept, axis=2)
    samples = _floats(samples, name) if is_float else full_range(samples, max(expected.bits))
    if expected.photometric == WHITE_IS_ZERO and not is_float:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    if expected.photometric == CMYK:
        samples = np.concatenate([light_of_inks(samples[..., :4]), samples[..., 4:]], axis=2)
    if 1 in expected.extra_samples and alpha is not None:
        samples = _unassociated(samples)
        if is_float:
            check_finite(samples, name)
    return np.ascontiguousarray(samples)


def _floats(samples: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is not finite is refused
        samples = samples.astype(np.float32)
    check_finite(samples, name)
    return samples


def _unassociated(samples: np.ndarray) -> np.ndarray:
    """Colours that were stored multiplied by alpha, divided by it again."""
    white = WHITE.get(samples.dtype.name, 1.0)
    alpha = samples[..., -1:].astype(np.float32) / white
    with np.errstate(over="ignore"):
        colors = samples[..., :-1] / np.where(alpha == 0, 1, alpha)
    if samples.dtype != np.float32:
        colors = np.rint(colors).clip(0, white)
    return np.concatenate([colors.astype(samples.dtype), samples[..., -1:]], axis=2)


def _extra(module: str, page: Page, name: str) -> ModuleType:
    silence(module)
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"{name} has {page.kind}, which needs an extra: pip install 'cnntool[deep]'"
        ) from None
