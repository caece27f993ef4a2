"""What a person should know of a convolution: before it, and of each result."""

from __future__ import annotations

from collections.abc import Sequence

from cnntool.imaging.filter_pass import Geometry
from cnntool.imaging.filtering import FeatureMap
from cnntool.imaging.image import Image
from cnntool.imaging.kernel_facts import flip_matters
from cnntool.imaging.kernels import Filter
from cnntool.imaging.tone import automatic_range

DIM = 1 / 6
"""A result whose brightest value is below this share of white deserves a word."""


def notes_before_work(
    filters: Sequence[Filter], geometry: Geometry, shown: str, bias: float
) -> list[str]:
    """Where the anchor of an even kernel is, and where convolution would be something else."""
    drops_sign = shown == "abs" or (shown == "auto" and automatic_range(filters, bias) == "abs")
    notes = []
    for kernel in filters:
        height, width = kernel.bank.shape[1:]
        if height % 2 == 0 or width % 2 == 0:
            notes.append(
                f"{kernel.label}: an even size has no middle; the anchor is row {height // 2}, "
                f"column {width // 2}, counted from 0"
            )
        ignores_sign = drops_sign and kernel is filters[-1]
        if not geometry.flip and flip_matters(kernel, ignores_sign=ignores_sign):
            notes.append(
                f"{kernel.label}: applied as cross-correlation; --flip gives true convolution, "
                "which differs for this kernel"
            )
    return notes


def remarks(result: FeatureMap, image: Image) -> list[str]:
    """What a result could not show, or that it is almost black, with the option that helps."""
    notes = []
    pixels = [frame.pixels for frame in result.image.frames]
    source = max(float(frame.pixels.max()) for frame in image.frames)
    is_float = image.frames[0].pixels.dtype == "f4"
    if result.losses:
        remedy = "-o out.npy keeps everything"
        if result.range == "abs":
            remedy = f"--range offset keeps the sign, {remedy}"
        if is_float and image.white == 255 and source > 2 * image.white:
            remedy = f"--white 65535 takes that for white, {remedy}"
        notes.append(f"{result.losses.describe()} ({remedy})")
    brightest, white = max(float(each.max()) for each in pixels), result.image.white
    if 0 < brightest < DIM * white and result.range in ("clip", "abs") and pixels[0].dtype != "f4":
        remedy = "--range stretch uses all levels"
        if is_float and source <= 1 < image.white:
            remedy = "--white 1 takes 1 for white"
        notes.append(f"the brightest value is {brightest:g} of {white:g}, almost black ({remedy})")
    return notes
