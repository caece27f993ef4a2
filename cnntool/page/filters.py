"""The pages of one filter, one pool and one convolution of a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnntool.choices import LARGEST_KERNEL
from cnntool.datasets.images.preprocessing import picture_planes
from cnntool.errors import RequestError
from cnntool.files.image import Image
from cnntool.imaging.kernel_catalogue import CATALOGUE
from cnntool.imaging.kernels import Filter, build
from cnntool.imaging.tone import automatic_range
from cnntool.page.html import packed_bytes, page

LONGEST_SIDE = 256
"""Pixels of a photograph in a page: each is computed anew as a weight is changed."""

SCRIPTS = "selftest", "arrays", "words", "windows", "pools", "story", "dom", "draw", "pixels"
OF_FILTERS = (*SCRIPTS, "filtering", "filter")
OF_SIGNALS = (*SCRIPTS, "filtering", "signal")


def kernel_page(name: str, image: Image, kernel: Filter, tried: Sequence[Mapping] = ()) -> bytes:
    """The HTML file of one filter over a picture, which becomes grey and small enough.

    tried: settings that a test has the page compute. RequestError for a filter that sums colours,
    gives an orientation, or has too large kernels.
    """
    height, width = kernel.bank.shape[1:]
    if kernel.is_colour:
        raise RequestError(f"{kernel.spec} sums three channels: name one of them, as in /0/0")
    if max(height, width) > LARGEST_KERNEL:
        raise RequestError(
            f"{kernel.spec} is {height} x {width}: a page shows the weights of kernels up to "
            f"{LARGEST_KERNEL} x {LARGEST_KERNEL}, so take a smaller one"
        )
    data = {
        "title": f"{kernel.spec} over {name}",
        "chosen": kernel.spec,
        "kernels": {kernel.spec: _entry(kernel)} | _catalogue(),
        "tried": list(tried),
    }
    return _over_picture(data, image)


def pool_page(
    name: str, image: Image, mode: str, size: int, tried: Sequence[Mapping] = ()
) -> bytes:
    """The HTML file of one pool over a picture, which becomes grey and small enough."""
    pool = {"mode": mode, "size": size, "p": 2}
    data = {"title": f"{mode} pool of {size} x {size} over {name}", "pool": pool}
    return _over_picture(data | {"kernels": {}, "tried": list(tried)}, image)


def signal_page(
    signal: Sequence[float],
    kernel: Sequence[float],
    stride: int = 1,
    padding: str = "valid",
    dilation: int = 1,
) -> bytes:
    """The HTML file of a one-dimensional convolution, forward and back."""
    title = f"A convolution of {len(signal)} numbers"
    data = {
        "title": title,
        "facts": "y[i] = sum over k of w[k] x[i s - p + k d]: cross-correlation, as networks do it",
        **{"signal": list(signal), "kernel": list(kernel)},
        **{"stride": stride, "padding": padding, "dilation": dilation},
    }
    return page(title, data, OF_SIGNALS)


def shown_planes(image: Image) -> np.ndarray:
    """The first frame in grey, (H, W) uint8, no larger than a page computes at once."""
    height, width = image.frames[0].pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return picture_planes(image, 1, size)[0]


def _over_picture(data: dict[str, Any], image: Image) -> bytes:
    planes = shown_planes(image)
    height, width = image.frames[0].pixels.shape[:2]
    facts = "in grey"
    if planes.shape != (height, width):
        facts += f", made smaller: {planes.shape[1]} x {planes.shape[0]} of {width} x {height}"
    return page(data["title"], data | {"picture": packed_bytes(planes), "facts": facts}, OF_FILTERS)


def _catalogue() -> dict[str, Any]:
    """The kernels with a name that are small enough, as they are without parameters."""
    found = {}
    for name in CATALOGUE:
        try:
            kernel = build(name)
        except RequestError:  # it needs a parameter
            continue
        if max(kernel.bank.shape[1:]) <= LARGEST_KERNEL and not kernel.is_colour:
            found[name] = _entry(kernel)
    return found


def _entry(kernel: Filter) -> dict[str, Any]:
    return {
        "bank": kernel.bank.tolist(),
        "names": list(kernel.kernel_names),
        "combine": kernel.combine,
        "range": automatic_range([kernel]),
        "bias": kernel.bias,
    }
